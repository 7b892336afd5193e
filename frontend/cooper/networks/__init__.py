"""Networks of containers: bridges to the outside, addresses, names and published ports.

What the rest of cooper calls is in `attach` (a container comes and goes), `manage` (the commands of `cooper
network`), `requests` (the flags of run, read into values) and `rootless` (an ordinary user's containers).

::

    requests              flags -> values                             pure
    pool, rules, files    values -> addresses, nftables rules, hosts and resolv.conf text     pure
    store                 what there is, in the database
    drivers/              bridge, macvlan: links, addresses and routes, through netlink
    flows                 what the kernel remembers of UDP clients
    firewall              the rules into the kernel, through nft or iptables-restore
    names, proxy          aardvark-dns; the user-space part of published ports
    attach, manage        put these together, under one lock

Everything is recorded before it is made. Who holds the lock and finds something half made knows that its maker
was killed, and removes it.
"""
