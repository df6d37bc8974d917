//! Searches for ONNX Runtime's library. Nothing is loaded or run here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, fs,
    path::{Path, PathBuf},
};

/// Where a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// ORT_DYLIB_PATH names it.
    Variable,
    /// It is in the program's folder.
    Program,
    /// The system's loader may find it by its name.
    System,
    /// It is part of the package onnxruntime of a Python environment.
    Python,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variable => "named by ORT_DYLIB_PATH",
            Self::Program => "beside the program",
            Self::System => "found by the system's loader",
            Self::Python => "in a Python environment",
        })
    }
}

/// A library that may be ONNX Runtime's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub path: PathBuf,
    pub origin: Origin,
}

/// The places that are searched, as text for a message.
pub(super) const PLACES: &str = "beside the program, where the system's loader looks, and in the Python environments \
    of VIRTUAL_ENV, CONDA_PREFIX, PATH and ~/.local";

/// The names that are passed to the system's loader.
#[cfg(target_os = "windows")]
const NAMES: [&str; 1] = ["onnxruntime.dll"];
#[cfg(target_os = "macos")]
const NAMES: [&str; 2] = ["libonnxruntime.dylib", "libonnxruntime.1.dylib"];
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const NAMES: [&str; 2] = ["libonnxruntime.so", "libonnxruntime.so.1"];

/// All candidates, the best first. If the user names a library, it is the only candidate, because silently using another
/// one would hide a mistake.
pub(super) fn candidates() -> Vec<Candidate> {
    let program = env::current_exe().ok();
    candidates_of(|name| env::var_os(name).filter(|value| !value.is_empty()), program.as_deref())
}

fn candidates_of(variable: impl Fn(&str) -> Option<OsString>, program: Option<&Path>) -> Vec<Candidate> {
    if let Some(named) = variable("ORT_DYLIB_PATH") {
        // For a name without a folder, the system's loader searches its own folders. A file of that name in the current
        // folder is more likely the one that the user means.
        let named = PathBuf::from(named);
        let path = if named.exists() { std::path::absolute(&named).unwrap_or(named) } else { named };
        return vec![Candidate { path, origin: Origin::Variable }];
    }
    let beside = program.and_then(Path::parent).into_iter().flat_map(libraries_in).map(of(Origin::Program));
    // `ort` resolves bare names against the program's path, and panics if the system does not know that path.
    let system = NAMES.iter().filter(|_| program.is_some()).map(PathBuf::from).map(of(Origin::System));
    let packages = packages_of(&variable).into_iter();
    let python = packages.flat_map(|folder| libraries_in(&folder.join("onnxruntime/capi"))).map(of(Origin::Python));
    beside.chain(system).chain(python).collect()
}

fn of(origin: Origin) -> impl Fn(PathBuf) -> Candidate {
    move |path| Candidate { path, origin }
}

/// Folders that may be Python environments.
fn prefixes(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| variable(name)).map(PathBuf::from).collect();
    let path = variable("PATH").unwrap_or_default();
    let beside_bin = env::split_paths(&path).filter(|folder| folder.file_name() == Some(OsStr::new("bin")));
    prefixes.extend(beside_bin.filter_map(|folder| folder.parent().map(Path::to_owned)));
    prefixes.extend(variable("HOME").map(|home| Path::new(&home).join(".local")));
    prefixes
}

/// The folders of Python packages that may exist: those of VIRTUAL_ENV, CONDA_PREFIX, the environments whose `bin` is in
/// PATH, and `~/.local`, in this order.
pub fn python_packages() -> Vec<PathBuf> {
    packages_of(&|name| env::var_os(name).filter(|value| !value.is_empty()))
}

fn packages_of(variable: &impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    prefixes(variable).iter().flat_map(|prefix| packages_in(prefix)).collect()
}

/// The folders of packages below `PREFIX/lib/python3*/`.
fn packages_in(prefix: &Path) -> Vec<PathBuf> {
    let mut homes = vec![prefix.join("Lib")]; // Windows has site-packages directly below it
    homes.extend(names_in(&prefix.join("lib"), |name| name.starts_with("python3")));
    homes.iter().flat_map(|home| ["site-packages", "dist-packages"].map(|kind| home.join(kind))).collect()
}

/// ONNX Runtime's libraries in a folder, the newest first, without those of its execution providers.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    names_in(folder, |name| {
        name == "onnxruntime.dll"
            || name.starts_with("libonnxruntime.") && (name.contains(".so") || name.ends_with(".dylib"))
    })
}

/// The files and folders whose names match, in descending order.
fn names_in(folder: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(&matches)).map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths.reverse();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn search(variables: &[(&str, &Path)], program: Option<&Path>) -> Vec<(PathBuf, Origin)> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        candidates_of(variable, program).into_iter().map(|found| (found.path, found.origin)).collect()
    }

    #[test]
    fn places_are_searched_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let beside = at("opt/libonnxruntime.so.1.31.1");
        let venv = at("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.30.0");
        let system = at("usr/lib/python3/dist-packages/onnxruntime/capi/libonnxruntime.so.1.20.0");
        let providers = venv.with_file_name("libonnxruntime_providers_shared.so");
        [&beside, &venv, &system, &providers].into_iter().for_each(|path| touch(path));
        let found = search(&[("VIRTUAL_ENV", &at("venv")), ("PATH", &at("usr/bin"))], Some(&at("opt/prepare-audio")));
        let want = [vec![(beside, Origin::Program)], NAMES.map(|name| (name.into(), Origin::System)).to_vec()].concat();
        assert_eq!(found, [want, vec![(venv, Origin::Python), (system, Origin::Python)]].concat());
    }

    #[test]
    fn a_named_library_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone.so");
        let found = search(&[("ORT_DYLIB_PATH", &gone), ("PATH", Path::new("/usr/bin"))], None);
        assert_eq!(found, [(gone, Origin::Variable)]);
    }
}
