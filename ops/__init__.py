"""The command line `zego-token`: for those who run the service.

`__main__` is the process, and `cli` runs a command in it. Each command is a module or a package,
imported when the command is called. Its options and its help stand in `command` (`commands`), which
imports neither boto3 nor botocore: they take longer than all the rest.
"""
