"""The command line `zego-token`: for those who run the service.

`__main__` is the process, and `cli` runs a command in it. Each command is a module or a package,
imported when the command is called. `command` (`commands`) defines its options and its help, and
imports neither boto3 nor botocore: they take longer than everything else.
"""
