//! Files that appear whole or not at all.

use crate::error::{Error, Result};
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that its name holds the old content or all of the new, whatever happens in between.
///
/// The content goes to a temporary file in the same folder, which is flushed to the disk and renamed over `path`; on Unix the
/// folder is flushed too. A new file gets the usual permissions, an old one keeps its own. A link is followed. Where `path`
/// is a pipe or a device there is nothing to keep, and it is written as it stands. On Windows the rename is atomic, but may
/// reach the disk later.
///
/// # Errors
/// [`Error::Io`] when `write` fails, the folder or the disk refuses, or `path` is a folder or read-only. The old file is then
/// untouched, and no temporary file is left.
pub fn write_atomic(path: impl AsRef<Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let path = path.as_ref();
    replace(path, write).map_err(|source| Error::io(path, source))
}

/// Whether [`write_atomic`] could begin: asked before long work, so that its result has somewhere to go. Changes nothing.
///
/// # Errors
/// [`Error::Io`] when the folder refuses new files, or `path` is a folder or read-only.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match Destination::of(path).and_then(|destination| destination.temporary()) {
        Ok(_removed_on_drop) => Ok(()),
        Err(source) => Err(Error::io(path, source)),
    }
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let destination = Destination::of(path)?;
    let Some(temporary) = destination.temporary()? else {
        return fill(&File::options().write(true).open(path)?, write);
    };
    fill(temporary.as_file(), write)?;
    if let Some(old) = destination.old {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(&destination.target).map_err(|e| e.error)?;
    sync_folder(folder_of(&destination.target))
}

/// Where a path leads.
struct Destination {
    target: PathBuf,
    /// What is there now.
    old: Option<Metadata>,
}

impl Destination {
    fn of(path: &Path) -> io::Result<Destination> {
        // Metadata before the name: a pipe behind `/dev/stdout` has none.
        let old = match fs::metadata(path) {
            Ok(old) => old,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Destination { target: path.to_path_buf(), old: None });
            }
            Err(e) => return Err(e),
        };
        if old.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "is a folder; give a file"));
        }
        if old.permissions().readonly() {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "is read-only; choose another file"));
        }
        let target = if old.is_file() { fs::canonicalize(path)? } else { path.to_path_buf() };
        Ok(Destination { target, old: Some(old) })
    }

    /// A new file beside the target; none where the target is a pipe or a device.
    fn temporary(&self) -> io::Result<Option<tempfile::NamedTempFile>> {
        if self.old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(None);
        }
        let name = self.target.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "names no file"))?;
        let prefix = format!(".{}.", name.to_string_lossy().chars().take(100).collect::<String>()); // names end at 255 bytes
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666); // the umask takes its part
        #[cfg(unix)]
        builder.permissions(mode);
        let folder = folder_of(&self.target);
        builder.tempfile_in(folder).map(Some).map_err(|e| match e.kind() {
            // The system's text names the temporary file, which says nothing to the reader.
            ErrorKind::NotFound => io::Error::new(ErrorKind::NotFound, "its folder does not exist; make it first"),
            ErrorKind::NotADirectory => io::Error::new(ErrorKind::NotADirectory, "its folder is a file"),
            ErrorKind::PermissionDenied => {
                io::Error::new(ErrorKind::PermissionDenied, "its folder refuses new files; choose another")
            }
            _ => e,
        })
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn fill(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 16, file);
    write(&mut buffered)?;
    buffered.flush()
}

/// Makes the rename durable, where the system can.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    let Ok(folder) = File::open(folder) else { return Ok(()) }; // a folder may be writable and not readable
    match folder.sync_all() {
        // Some file systems do not flush folders.
        Err(e) if !matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        for content in ["one", "two and more", ""] {
            check_writable(&path).unwrap();
            write_atomic(&path, |out| out.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_failing_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        fs::write(&path, "old").unwrap();
        let error = write_atomic(&path, |out| {
            out.write_all(&[0; 1 << 20])?;
            Err(io::Error::from(ErrorKind::StorageFull))
        });
        assert_eq!(error.map_err(|e| e.code()), Err("io"));
        assert_eq!((fs::read_to_string(&path).unwrap(), names(folder.path())), ("old".into(), vec!["a.bin".into()]));
    }

    #[test]
    fn a_folder_a_read_only_file_and_a_missing_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let error = |path: &Path| write_atomic(path, |out| out.write_all(b"new")).unwrap_err().to_string();
        assert!(error(folder.path()).ends_with("is a folder; give a file"));
        assert!(error(&folder.path().join("no/a.bin")).contains("no/a.bin: "));
        fs::write(&path, "old").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(error(&path).ends_with("is read-only; choose another file"));
        for refused in [folder.path(), &folder.path().join("no/a.bin"), &path] {
            assert_eq!(check_writable(refused).map_err(|e| e.code()), Err("io"), "{}", refused.display());
        }
        assert_eq!((fs::read_to_string(&path).unwrap(), names(folder.path())), ("old".into(), vec!["a.bin".into()]));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_the_old_file_or_of_any_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, plain) = (folder.path().join("a.bin"), folder.path().join("plain"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let save = || write_atomic(&path, |out| out.write_all(b"new")).unwrap();
        fs::write(&plain, "").unwrap();
        save();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        save();
        assert_eq!(mode(&path), 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.bin"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomic(&link, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        write_atomic(&null, |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_without_a_name_is_written_to() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd()); // as /dev/stdout is
        check_writable(&path).unwrap();
        write_atomic(&path, |out| out.write_all(b"new")).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "new");
    }
}
