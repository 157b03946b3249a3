"""Invalid input of every kind, over HTTP, to the real handler under the real runtime client.

After each exchange, the client also checks that no bearer token, token, ServerSecret or credential
is in the function's log, or in a response where it does not belong.
"""
