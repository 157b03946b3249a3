// Types that the snippets get from elsewhere: the identity provider's library, React, AWS.

declare const auth: { getAccessToken(): Promise<string> };

declare module "react" {
  export function useState<T>(initial: T): [T, (value: any) => void];
  export function useEffect(effect: () => () => void, uses: unknown[]): void;
}

declare module "@aws-sdk/credential-providers" {
  export function fromNodeProviderChain(): import("@smithy/types").AwsCredentialIdentityProvider;
}
