//! What is worth keeping from one process to the next: small files in the user's cache folder, each under what it was made for.
//!
//! A file that is missing, damaged, of another version or not to be written costs time and nothing else: it is made again.

use crate::checksum::{BASIS, fnv1a};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Names another folder; empty, nothing is kept.
const FOLDER: &str = "TILEWORK_CACHE";

/// The folder: `TILEWORK_CACHE`, or `tilework` where this system keeps a user's caches. `None` where there is no such place.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(FOLDER) {
        return Some(PathBuf::from(named)).filter(|folder| !folder.as_os_str().is_empty());
    }
    let place =
        |variable: &str| std::env::var_os(variable).filter(|place| Path::new(place).is_absolute()).map(PathBuf::from);
    let caches = if cfg!(windows) {
        place("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        place("HOME").map(|home| home.join("Library/Caches"))
    } else {
        place("XDG_CACHE_HOME").or_else(|| place("HOME").map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("tilework"))
}

/// What [`store`] kept as `kind` under `key` (an adapter with its driver, say) by this version of the crate.
pub(crate) fn load(kind: &str, key: &str) -> Option<Vec<u8>> {
    load_from(&folder()?, kind, key)
}

/// Keeps `content` for [`load`]. Whether that worked is not said: nothing may depend on it.
pub(crate) fn store(kind: &str, key: &str, content: &[u8]) {
    let Some(folder) = folder() else { return };
    if let Err(error) = store_in(&folder, kind, key, content) {
        log::debug!("{}: {kind} of {key} is not kept: {error}", folder.display());
    }
}

fn load_from(folder: &Path, kind: &str, key: &str) -> Option<Vec<u8>> {
    let all = fs::read(file(folder, kind, key)).ok()?;
    let content = all.get(all.iter().position(|&byte| byte == b'\n')? + 1..)?;
    all.starts_with(&head(kind, key, content)).then(|| content.to_vec())
}

/// A file appears whole or not at all, and for this user alone.
fn store_in(folder: &Path, kind: &str, key: &str, content: &[u8]) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(&head(kind, key, content))?;
    temporary.write_all(content)?;
    temporary.persist(file(folder, kind, key)).map(drop).map_err(|e| e.error)
}

/// The first line: what it is, and a sum over the content, because a disk may lose some of it.
fn head(kind: &str, key: &str, content: &[u8]) -> Vec<u8> {
    let key = key.replace('\n', " ");
    format!("tilework {} {kind} {:016x} {key}\n", env!("CARGO_PKG_VERSION"), sum(content)).into_bytes()
}

fn file(folder: &Path, kind: &str, key: &str) -> PathBuf {
    folder.join(format!("{kind}-{:016x}", sum(key.as_bytes())))
}

fn sum(bytes: &[u8]) -> u64 {
    fnv1a(BASIS, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_under_its_kind_and_key_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("new");
        store_in(&folder, "verdict", "a card\n1.0", b"two\nlines").unwrap();
        assert_eq!(load_from(&folder, "verdict", "a card\n1.0").as_deref(), Some(&b"two\nlines"[..]));
        assert_eq!(load_from(&folder, "verdict", "a card\n1.1"), None);
        assert_eq!(load_from(&folder, "figures", "a card\n1.0"), None);
        store_in(&folder, "verdict", "a card\n1.0", b"").unwrap();
        assert_eq!(load_from(&folder, "verdict", "a card\n1.0").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        store_in(folder.path(), "verdict", "card", b"content").unwrap();
        let file = file(folder.path(), "verdict", "card");
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            assert_eq!(load_from(folder.path(), "verdict", "card"), None, "cut at {cut}");
            let mut flipped = whole.clone();
            flipped[cut] ^= 1;
            fs::write(&file, flipped).unwrap();
            assert_eq!(load_from(folder.path(), "verdict", "card"), None, "byte {cut}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_store_keeps_quiet_about() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        assert!(store_in(&blocked.join("below"), "verdict", "card", b"").is_err());
    }
}
