//! Folders of files, a sub-folder for each class.

use super::table::list;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder that has a sub-folder for each class: torchvision's `DatasetFolder`. Nothing is read yet but names.
///
/// ```
/// use tilework::data::ClassFolder;
/// let folder = tempfile::tempdir()?;
/// for name in ["dog/b.wav", "cat/a.WAV", "dog/a.wav", "dog/notes.txt"] {
///     let path = folder.path().join(name);
///     std::fs::create_dir_all(path.parent().unwrap())?;
///     std::fs::write(path, "")?;
/// }
/// let sounds = ClassFolder::open(folder.path(), &["wav"])?;
/// assert_eq!(sounds.classes(), ["cat", "dog"]);
/// assert_eq!(sounds.labels(), [0, 1, 1]);
/// assert!(sounds.files()[2].ends_with("dog/b.wav"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFolder {
    classes: Vec<String>,
    files: Vec<PathBuf>,
    labels: Vec<u32>,
}

impl ClassFolder {
    /// Lists the files with one of these endings, in any case and without a dot, that lie in the sub-folders of `folder`; all
    /// files where no ending is given. What begins with a dot is passed over, and so are folders within sub-folders.
    ///
    /// Classes are the names of the sub-folders, sorted; whole numbers by their value. Within a class files are sorted by name.
    ///
    /// # Errors
    /// [`Error::Io`] for a folder that cannot be read; [`Error::Data`] for one without sub-folders, a class without such files,
    /// and a name of a class that is no Unicode.
    pub fn open(folder: impl AsRef<Path>, endings: &[&str]) -> Result<ClassFolder> {
        let root = folder.as_ref();
        let mut classes = Vec::new();
        for path in visible(root)? {
            if is_folder(&path)? {
                let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
                classes.push((name.ok_or_else(|| wrong(&path, "a class whose name is no Unicode; rename it"))?, path));
            }
        }
        if classes.is_empty() {
            return Err(wrong(root, "no sub-folders; give a folder that has one for each class"));
        }
        match classes.iter().map(|(name, _)| name.parse().ok()).collect::<Option<Vec<i64>>>() {
            Some(_) => classes.sort_by_cached_key(|(name, _)| (name.parse::<i64>().ok(), name.clone())),
            None => classes.sort(),
        }
        let mut found = ClassFolder { classes: Vec::new(), files: Vec::new(), labels: Vec::new() };
        for ((name, path), label) in classes.into_iter().zip(0..) {
            let mut files = Vec::new();
            for file in visible(&path)? {
                if has_ending(&file, endings) && !is_folder(&file)? {
                    files.push(file);
                }
            }
            if files.is_empty() {
                let what = match endings {
                    [] => String::new(),
                    _ => format!(" that end in {}", list(endings.iter().copied())),
                };
                return Err(wrong(&path, format!("a class without files{what}; put some there, or remove it")));
            }
            files.sort();
            found.labels.extend(files.iter().map(|_| label));
            found.files.append(&mut files);
            found.classes.push(name);
        }
        Ok(found)
    }

    /// The classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The files, class by class.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The class of each file: a position in [`ClassFolder::classes`].
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

/// What a folder holds, in no order, without names that begin with a dot.
fn visible(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(folder, e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// Links are followed.
fn is_folder(path: &Path) -> Result<bool> {
    fs::metadata(path).map(|data| data.is_dir()).map_err(|e| Error::io(path, e))
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().unwrap_or_default();
    endings.is_empty() || endings.iter().any(|wanted| ending.eq_ignore_ascii_case(wanted))
}

fn wrong(path: &Path, message: impl Into<String>) -> Error {
    Error::data(path.display().to_string(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            match name.strip_suffix('/') {
                Some(_) => fs::create_dir_all(path).unwrap(),
                None => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "").unwrap();
                }
            }
        }
        folder
    }

    #[test]
    fn files_come_sorted_by_class_and_name_and_others_are_passed_over() {
        let names =
            ["b/2.png", "b/1.PNG", "b/.hidden.png", "b/x.txt", "b/deeper/3.png", "a/z.png", ".git/c.png", "top.png"];
        let folder = folder(&names);
        let found = ClassFolder::open(folder.path(), &["jpg", "png"]).unwrap();
        let files: Vec<_> = found.files().iter().map(|file| file.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(files, ["a/z.png", "b/1.PNG", "b/2.png"].map(Path::new));
        assert_eq!((found.labels(), found.classes()), (&[0, 1, 1][..], &["a".to_owned(), "b".to_owned()][..]));
        assert_eq!(ClassFolder::open(folder.path(), &[]).unwrap().files().len(), 4);
    }

    #[test]
    fn classes_that_are_numbers_are_sorted_by_value() {
        let folder = folder(&["10/a", "9/a", "-1/a"]);
        assert_eq!(ClassFolder::open(folder.path(), &[]).unwrap().classes(), ["-1", "9", "10"]);
    }

    #[test]
    fn folders_that_hold_no_classes_are_refused_by_name() {
        let error = |names: &[&str], endings: &[&str]| {
            let folder = folder(names);
            let error = ClassFolder::open(folder.path(), endings).unwrap_err().to_string();
            error.strip_prefix(&format!("{}", folder.path().display())).unwrap().to_owned()
        };
        assert_eq!(error(&["a.png"], &[]), ": no sub-folders; give a folder that has one for each class");
        let error = error(&["a/1.png", "b/1.txt"], &["png"]).replace('\\', "/");
        assert_eq!(error, "/b: a class without files that end in \"png\"; put some there, or remove it");
        let missing = ClassFolder::open("no/such/folder", &[]).unwrap_err();
        assert!(missing.code() == "io" && missing.to_string().starts_with("no/such/folder: "), "{missing}");
    }
}
