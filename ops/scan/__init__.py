"""`zego-token scan`: what a built front end or a repository gives away, and what to do.

`rules` says what is looked for, `values` finds the secret itself in the forms in which it leaks,
`matching` finds both in a piece of a file, `files` goes through folders and cuts files into
pieces, `findings` says what a finding may say, `run` puts them together. No text that was found
leaves `matching` and `values`.
"""
