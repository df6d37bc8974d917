//! Filesystems that SQLite cannot use: WAL shares memory between processes, which machines cannot.

use std::path::Path;

/// The name of the network filesystem of `folder`; `None` if it is local or unknown.
#[cfg(target_os = "linux")]
pub fn name_of(folder: &Path) -> Option<&'static str> {
    let facts = rustix::fs::statfs(folder).ok()?;
    // The magic number is 32 bits wide; some platforms extend it by its sign.
    name(facts.f_type as u32)
}

/// The name of the network filesystem of `folder`: not implemented on this system.
#[cfg(not(target_os = "linux"))]
pub fn name_of(_: &Path) -> Option<&'static str> {
    None
}

/// The network filesystems by their magic numbers in `statfs(2)`.
#[cfg(target_os = "linux")]
fn name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B => "SMB",
        0xFF53_4D42 => "CIFS",
        0xFE53_4D42 => "SMB2",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x5346_414F => "AFS",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_network_filesystems_from_local_ones() {
        assert_eq!(name(0x6969), Some("NFS"));
        assert_eq!(name(0xFF53_4D42), Some("CIFS"));
        assert_eq!(name(0xEF53), None, "ext4");
        assert_eq!(name(0x0102_1994), None, "tmpfs");
        assert_eq!(name_of(Path::new("/proc")), None);
    }
}
