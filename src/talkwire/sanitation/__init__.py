"""What uploaded bytes really are. Sniffing only for now; decoding, rebuilding and verdicts come here.

Words: *sniff* (tell a type by the bytes, never by a name or a label), *sample* (the first and the last
bytes of a file, gathered while it streams).
"""
