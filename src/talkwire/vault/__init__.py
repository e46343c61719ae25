"""Keys and encryption: who can read a file is who can unwrap its key, and erasing destroys keys first.

Words: a *file key* encrypts one file. It is *wrapped* for its *holders*: consumers, each with a key of their
own, or the account's *staging* key while no consumer has seen the file. Holders' keys are wrapped by the
*account key*, that one by the *master key*. To *seal* is to encrypt a small value where it lies, to *shred*
to destroy keys so that what they opened is noise.
"""
