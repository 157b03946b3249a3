// In the place of @aws-sdk/credential-providers, which brings thirty packages: the environment alone.

export const fromNodeProviderChain = () => async () => ({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
});
