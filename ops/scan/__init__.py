"""`zego-token scan`: finds secrets in a built frontend or a repository, and shows what to do.

`values` finds the secret itself in the forms in which it leaks, `patterns` finds what is likely a
secret, `files` walks folders and cuts files into pieces, `report` combines them. `patterns` and
`values` never pass on the text that they find.
"""
