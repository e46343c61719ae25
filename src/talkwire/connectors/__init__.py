"""Third-party channels: apps installed on an account, and what they do on behalf of its consumers.

An *app* (installation) is a connector that a brand lets in; it has a client id and a secret. It acts with an
AppJWT, for a consumer named by a ConsumerJWS, and hears of its conversations through *webhooks*.

Source: docs/protocol.md 3.5, 3.6, 7.
"""
