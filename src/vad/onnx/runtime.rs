//! The loaded library: one for the whole process.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ort::{
    LoadDynamicError,
    environment::{Environment, EnvironmentBuilder},
    ep::ExecutionProvider,
    logging::LogLevel,
    session::builder::SessionBuilder,
};

use super::{
    OnnxError,
    library::{self, Candidate, Origin},
};

/// ONNX Runtime, found and loaded.
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
    origin: Origin,
}

static LOADED: OnceLock<Runtime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// The library, which is looked for and loaded on the first call that succeeds.
    ///
    /// # Errors
    /// [`OnnxError::Missing`] or [`OnnxError::Unusable`], which say how to get it.
    pub fn load() -> Result<&'static Self, OnnxError> {
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = LOADED.get() {
            return Ok(runtime);
        }
        let runtime = first_of(library::candidates())?;
        Ok(LOADED.get_or_init(|| runtime))
    }

    /// The library's file; a bare name where the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its version, as far as its file's name tells: `libonnxruntime.so.1.31.1`.
    pub fn version(&self) -> Option<String> {
        let file = self.path.canonicalize().ok()?;
        let name = file.file_name()?.to_str()?;
        let from = name.find(|c: char| c.is_ascii_digit())?;
        let version = name[from..].trim_end_matches(".dylib");
        version.contains('.').then(|| version.to_owned())
    }

    /// What it says of how it was built.
    pub fn build(&self) -> &'static str {
        ort::info().trim_start_matches("ORT Build Info: ")
    }

    /// What it can compute on, as far as known by name: `CPU`, `CUDA` ...
    pub fn providers(&self) -> Vec<&'static str> {
        providers()
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// The first that can be used. One that is there and cannot be is not kept quiet: it may be what the user meant.
fn first_of(candidates: Vec<Candidate>) -> Result<Runtime, OnnxError> {
    let mut looked = library::PLACES.to_owned();
    for Candidate { path, origin } in candidates {
        match ort::init_from(&path) {
            Ok(builder) => return Ok(Runtime { environment: environment(builder)?, path, origin }),
            Err(LoadDynamicError::Dlopen { .. }) if origin == Origin::System => {} // most likely not there
            Err(error) if origin == Origin::Variable => return Err(OnnxError::Unusable { path, reason: why(&error) }),
            Err(error) => looked += &format!("; {} cannot be used: {}", path.display(), why(&error)),
        }
    }
    Err(OnnxError::Missing { looked })
}

fn why(error: &LoadDynamicError) -> String {
    match error {
        // The cause holds the loader's own words.
        LoadDynamicError::Dlopen { error, .. } => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        LoadDynamicError::MissingApi { .. } => "it is another library (it has no function OrtGetApiBase)".into(),
        LoadDynamicError::InvalidVersionString => "it does not tell its version".into(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("its version is {version_str}, and 1.{} or newer is needed", ort::MINOR_VERSION)
        }
    }
}

/// What it wants to log goes into our log. Everything that fails comes back as an error as well and is told there, so
/// that these lines are for those who look closer.
fn environment(builder: EnvironmentBuilder) -> Result<Environment, OnnxError> {
    let log = |level: LogLevel, _: &str, _: &str, place: &str, message: &str| {
        tracing::debug!(?level, place, "ONNX Runtime: {message}");
    };
    let builder = builder.with_name("prepare-audio").with_telemetry(false).with_logger(Arc::new(log));
    let environment = builder.build().map_err(|error| OnnxError::Refused(error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// `ort` answers for one provider by its name, which is part of a type.
fn providers() -> Vec<&'static str> {
    macro_rules! offered {
        ($($name:literal)*) => {
            [$({
                struct Asked;
                impl ExecutionProvider for Asked {
                    const NAME: &'static str = concat!($name, "ExecutionProvider");
                    fn register(&self, _: &mut SessionBuilder) -> ort::Result<()> {
                        Ok(()) // it is only asked for
                    }
                }
                ($name, Asked::is_available())
            }),*]
        };
    }
    let asked = offered!("CPU" "CUDA" "Tensorrt" "NvTensorRTRTX" "MIGraphX" "ROCM" "OpenVINO" "CoreML" "Dml" "QNN" "WebGpu" "Xnnpack" "Azure");
    asked.into_iter().filter_map(|(name, available)| available.ok()?.then_some(name)).collect()
}
