"""Bad input of every kind, over HTTP, to the real handler under the real runtime client.

After each exchange the client also looks that no bearer token, no token, no ServerSecret and no
credential is in the function's log, or in an answer where it does not belong.
"""
