"""The command line `zego-token`: for those who run the service.

`__main__` is the process, and `cli` runs a command in it. A group of commands is a package of its
own, whose `commands` says the options and imports nothing slow, so that ``--help`` answers at once;
what the commands do stands beside it and is imported when one of them runs.
"""
