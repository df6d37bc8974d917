//! Failures of the environment: servers that restart, disks that fill up, clocks that change, machines that lose their
//! network, and signals. None may lose a recording, complete one twice, leave a row without its file, or count an attempt.
//! [`crate::support::audit`] defines the checks.
//!
//! `PREPARE_AUDIO_FAULTS=long` restarts the server 20 times instead of 5. The tests of file systems, network namespaces
//! and clocks need root (or `sudo` without a password), Debian's iproute2 and faketime; `test.sh` installs these.

mod clocks;
mod disks;
mod hosts;
mod privileges;
mod restarts;
mod scenario;
mod server;
mod signals;
mod source_folders;
mod tls;
mod watch_mode;
