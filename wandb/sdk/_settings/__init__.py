"""What `wandb_settings.Settings` is made of.

`_field`     what is known about one setting, and `_kinds`, the types of values
`_layered`   values in layers: each remembers its source and what it overrode
`_official`  settings of the official client that have no effect here
`_files`     the settings files; `_variables`, the environment; `_policies`, what the server's policies say
`_told`      the line for the user whose choice was overridden

The sources, from the lowest to the highest. A later one wins:

     1  default
     2  organization policy          fetched from the server by the uploader, read from a cache:
     3  team policy                  nothing here waits for a network
     4  user policy
     5  project policy
     6  global file                  `~/.config/wandb/settings`, section [default]
     7  local file                   `./wandb/settings`
     8  environment                  `WANDB_<NAME>`
     9  wandb.setup()
    10  init(settings=)
    11  init()                       its arguments
    12  enforced project policy      the entries of a policy that are marked as enforced; the organization
    13  enforced user policy         has the last word
    14  enforced team policy
    15  enforced organization policy

A value that makes no sense raises UsageError where code gives it. In a file, the environment or a policy it is ignored
with a warning, since a typing error there is no reason to stop a training.
"""
