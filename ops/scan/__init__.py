"""`zego-token scan`: what a built front end or a repository gives away, and what to do.

`values` finds the secret itself in the forms in which it leaks, `patterns` finds what is likely a
secret, `files` goes through folders and cuts files into pieces, `report` puts them together. No
text that was found leaves `patterns` and `values`.
"""
