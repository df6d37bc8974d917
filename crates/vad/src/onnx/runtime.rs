//! Loads ONNX Runtime's library, once for the whole process.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ort::{
    LoadDynamicError,
    environment::{Environment, EnvironmentBuilder},
    ep::{self, ExecutionProvider},
    logging::LogLevel,
    session::{Session, builder::SessionBuilder},
};

use super::{
    Device, OnnxError,
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
    /// The library, which is searched for and loaded by the first call that succeeds.
    ///
    /// # Errors
    /// [`OnnxError::Missing`] or [`OnnxError::Unusable`]; their messages say how to install it.
    pub fn load() -> Result<&'static Self, OnnxError> {
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = LOADED.get() {
            return Ok(runtime);
        }
        let runtime = first_of(library::candidates())?;
        Ok(LOADED.get_or_init(|| runtime))
    }

    /// The library's file; only a name if the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its version, if the file's name contains it, as in `libonnxruntime.so.1.31.1`.
    pub fn version(&self) -> Option<String> {
        let file = self.path.canonicalize().ok()?;
        let name = file.file_name()?.to_str()?;
        let from = name.find(|c: char| c.is_ascii_digit())?;
        let version = name[from..].trim_end_matches(".dylib");
        version.contains('.').then(|| version.to_owned())
    }

    /// Its own description of its build.
    pub fn build(&self) -> &'static str {
        ort::info().trim_start_matches("ORT Build Info: ")
    }

    /// Its execution providers, of those known to this crate: `CPU`, `CUDA` ...
    pub fn providers(&self) -> Vec<&'static str> {
        providers()
    }

    /// A session for the model of an ONNX file. It computes on the caller's thread: more threads would take cores from
    /// other workers.
    ///
    /// # Errors
    /// [`OnnxError::Refused`] where the library cannot compute the model; [`OnnxError::NoCuda`].
    pub fn session(&self, model: &[u8], device: Device) -> Result<Session, OnnxError> {
        let refused = |error: ort::Error| OnnxError::Refused(error.to_string());
        let builder = Session::builder(&self.environment).map_err(refused)?;
        let builder = builder.with_intra_threads(1).map_err(|e| refused(e.into()))?;
        let mut builder = builder.with_inter_threads(1).map_err(|e| refused(e.into()))?;
        if device == Device::Cuda {
            let offered = self.providers();
            if !offered.contains(&"CUDA") {
                return Err(OnnxError::NoCuda { library: self.path.clone(), offered: offered.join(", ") });
            }
            let cuda = ep::CUDA::default().build().error_on_failure();
            builder = builder.with_execution_providers([cuda]).map_err(|e| refused(e.into()))?;
        }
        builder.commit_from_memory(model).map_err(refused)
    }
}

/// The first candidate that can be loaded. The error also names those that exist and cannot be loaded, because one of
/// them may be the one that the user meant.
fn first_of(candidates: Vec<Candidate>) -> Result<Runtime, OnnxError> {
    let mut searched = library::PLACES.to_owned();
    for Candidate { path, origin } in candidates {
        match ort::init_from(&path) {
            Ok(builder) => return Ok(Runtime { environment: environment(builder)?, path, origin }),
            Err(LoadDynamicError::Dlopen { .. }) if origin == Origin::System => {} // most likely not installed
            Err(error) if origin == Origin::Variable => return Err(OnnxError::Unusable { path, reason: why(&error) }),
            Err(error) => searched += &format!("; {} cannot be used: {}", path.display(), why(&error)),
        }
    }
    Err(OnnxError::Missing { searched })
}

fn why(error: &LoadDynamicError) -> String {
    match error {
        // The cause has the loader's message.
        LoadDynamicError::Dlopen { error, .. } => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        LoadDynamicError::MissingApi { .. } => "it is another library (it has no function OrtGetApiBase)".into(),
        LoadDynamicError::InvalidVersionString => "it does not report a valid version".into(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("its version is {version_str}, and 1.{} or newer is needed", ort::MINOR_VERSION)
        }
    }
}

/// Creates the environment. The library's log goes to `tracing` at the level debug, because every failure is also returned
/// as an error.
fn environment(builder: EnvironmentBuilder) -> Result<Environment, OnnxError> {
    let log = |level: LogLevel, _: &str, _: &str, location: &str, message: &str| {
        tracing::debug!(?level, location, "ONNX Runtime: {message}");
    };
    let builder = builder.with_name("prepare-audio").with_telemetry(false).with_logger(Arc::new(log));
    let environment = builder.build().map_err(|error| OnnxError::Refused(error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// The available providers. `ort` can check one provider, whose name is an associated constant, so each needs a type.
fn providers() -> Vec<&'static str> {
    macro_rules! availability {
        ($($name:literal)*) => {
            [$({
                struct Provider;
                impl ExecutionProvider for Provider {
                    const NAME: &'static str = concat!($name, "ExecutionProvider");
                    fn register(&self, _: &mut SessionBuilder) -> ort::Result<()> {
                        Ok(()) // only its availability is queried
                    }
                }
                ($name, Provider::is_available())
            }),*]
        };
    }
    let known = availability!("CPU" "CUDA" "Tensorrt" "NvTensorRTRTX" "MIGraphX" "ROCM" "OpenVINO" "CoreML" "Dml" "QNN" "WebGpu" "Xnnpack" "Azure");
    known.into_iter().filter_map(|(name, available)| available.ok()?.then_some(name)).collect()
}
