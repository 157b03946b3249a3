// Replaces @aws-sdk/credential-providers, which needs thirty packages; reads the environment only.

export const fromNodeProviderChain = () => async () => ({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
});
