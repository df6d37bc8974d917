//! What the world does to a run: servers that restart, disks that fill up, clocks that are set, machines that are cut off,
//! and people who press Ctrl-C. Nothing of it may lose a recording, do one twice, or leave a row without its file;
//! [`support::audit`] says how that is looked for. Nor may it cost an attempt.
//!
//! `PREPARE_AUDIO_FAULTS=long` restarts the server 20 times instead of 5. File systems, network namespaces and the clock
//! want root (or `sudo` without a password), Debian's iproute2 and its faketime; `test.sh` sees to these.
#![cfg(target_os = "linux")]

mod support;

#[path = "outages/clocks.rs"]
mod clocks;
#[path = "outages/disks.rs"]
mod disks;
#[path = "outages/hosts.rs"]
mod hosts;
#[path = "outages/restarts.rs"]
mod restarts;
#[path = "outages/server.rs"]
mod server;
#[path = "outages/signals.rs"]
mod signals;
#[path = "outages/site.rs"]
mod site;
#[path = "outages/system.rs"]
mod system;
#[path = "outages/watching.rs"]
mod watching;
