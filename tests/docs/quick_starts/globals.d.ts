// Types that the snippets get from elsewhere: the identity provider's library, React, AWS.

declare const auth: { getAccessToken(): Promise<string> };

declare module "react/jsx-runtime" {
  export namespace JSX {
    type Element = object;
    interface IntrinsicElements {
      p: { role?: string; children?: unknown };
    }
  }
}

declare module "@aws-sdk/credential-providers" {
  export function fromNodeProviderChain(): import("@smithy/types").AwsCredentialIdentityProvider;
}
