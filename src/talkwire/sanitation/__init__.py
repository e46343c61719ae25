"""What uploaded bytes really are, and the same picture without anything of them but what one sees.

In the server: sniffing while bytes stream (`sniff`), the pool of workers (`service`, `pool`, `wire`). In the worker
process: reading the structure (`examine`, `jpeg`, `png`, `gif`, `exif`), decoding and encoding (`pixels`, `previews`),
giving up what is not needed (`confinement`, `seccomp`).

Words: *sniff* (tell a type by the bytes, never by a name or a label), *sample* (the first and the last bytes of a
file, gathered while it streams), *examine* (walk the structure without decoding), *rebuild* (decode and encode
anew), *wish* (how large and how good), *reason* (why a file was rejected).
"""
