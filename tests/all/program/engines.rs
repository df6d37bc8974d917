//! --vad-engine and --device: which engine computes the model, and the messages if it cannot.

use std::{fs, path::Path, process::Command};

use crate::support::{
    onnx::onnx,
    test_dir::{CommandOutput, TestDir, fixture},
};

/// The path of a model that tests/models/make_models.py made.
fn model(name: &str) -> String {
    fixture("../tests/models").join(name).display().to_string()
}

fn speech() -> String {
    fixture("speech/pauses.wav").display().to_string()
}

/// Runs a command. The program must not panic, and no library may print its own messages.
#[track_caller]
fn run(command: &mut Command) -> CommandOutput {
    let output = CommandOutput::from(command.output().unwrap());
    for word in ["panicked", "onnxruntime:", "RUST_BACKTRACE"] {
        assert!(!output.stderr.contains(word), "{}", output.stderr);
    }
    output
}

#[track_caller]
fn assert_message(output: &CommandOutput, words: &[&str]) {
    for words in words {
        assert!(output.stderr.contains(words), "{words} is missing in {}", output.stderr);
    }
}

#[test]
fn the_message_about_a_missing_library_says_how_to_get_it() {
    let dir = TestDir::new();
    if dir.run(&["doctor", "--json"]).json()["onnx_runtime"]["ok"] == true {
        eprintln!("SKIPPED: the system's loader finds an ONNX Runtime here");
        return;
    }
    let output = run(&mut dir.command(&["fetch", &speech(), "--vad-engine", "onnx"])).exits(2);
    assert_message(
        &output,
        &["ONNX Runtime was not found", "beside the program", "pip install onnxruntime", "ORT_DYLIB_PATH"],
    );
    assert!(!dir.path("prepare-audio.db").exists(), "no database was created");
    let output = run(dir.command(&["fetch", &speech()]).env("PREPARE_AUDIO_VAD_ENGINE", "onnx")).exits(2);
    assert_message(&output, &["ONNX Runtime was not found"]);
}

#[test]
fn the_message_about_an_invalid_library_names_it() {
    let dir = TestDir::new();
    let text = dir.write("notes.so", "not a library");
    let try_it = |library: &Path| {
        let mut command = dir.command(&["fetch", &speech(), "--vad-engine", "onnx"]);
        run(command.env("ORT_DYLIB_PATH", library)).exits(2)
    };
    assert_message(&try_it(&text), &["notes.so as ONNX Runtime", "pip install onnxruntime"]);
    assert_message(&try_it(Path::new("notes.so")), &["notes.so as ONNX Runtime"]);
    assert_message(&try_it(Path::new("/gone/libonnxruntime.so")), &["/gone/libonnxruntime.so", "No such file"]);
    let Some(onnx) = onnx() else { return };
    let another = onnx.library.with_file_name("libonnxruntime_providers_shared.so");
    assert_message(&try_it(&another), &["it is another library"]);
}

/// The inputs and outputs of a model are read without ONNX Runtime.
#[test]
fn the_message_about_another_kind_of_model_has_its_inputs_and_outputs() {
    let dir = TestDir::new();
    for engine in ["onnx", "auto"] {
        let args = ["fetch", &speech(), "--vad-model", &model("another_kind.onnx"), "--vad-engine", engine];
        let output = run(&mut dir.command(&args)).exits(2);
        assert_message(
            &output,
            &["found mel [batch, 80, 3000] -> logits", "expected input [1, 576], state [2, 1, 128], sr"],
        );
    }
    let args = ["fetch", &speech(), "--vad-model", &model("another_kind.onnx"), "--vad-engine", "native"];
    assert_message(&run(&mut dir.command(&args)).exits(2), &["not a Silero VAD v6"]);
    dir.write("notes.onnx", "not a model");
    let output =
        run(&mut dir.command(&["fetch", &speech(), "--vad-model", "notes.onnx", "--vad-engine", "onnx"])).exits(2);
    assert_message(&output, &["not a complete ONNX file"]);
}

#[test]
fn cuda_needs_onnx_runtime_with_cuda() {
    let dir = TestDir::new();
    let args = ["fetch", &speech(), "--device", "cuda", "--vad-engine", "native"];
    let words = ["the native engine computes on the CPU; CUDA needs ONNX Runtime", "--vad-engine onnx or auto"];
    assert_message(&run(&mut dir.command(&args)).exits(2), &words);
    let Some(onnx) = onnx() else { return };
    let output =
        run(dir.command(&["fetch", &speech(), "--device", "cuda"]).env("ORT_DYLIB_PATH", &onnx.library)).exits(2);
    assert_message(&output, &["has no CUDA, only CPU", "onnxruntime-gpu"]);
}

/// The engine is not part of the recipe, because its results are the same.
#[test]
fn the_engine_changes_neither_recipe_nor_segments() {
    let Some(onnx) = onnx() else { return };
    let [native, other] = [TestDir::new(), TestDir::new()];
    let folder = fixture("speech").display().to_string();
    native.run(&["fetch", &folder]).exits(0);
    let fetch_with_onnx = |dir: &TestDir| {
        let mut command = dir.command(&["fetch", &folder, "--json", "--workers", "3", "--vad-engine", "onnx"]);
        run(command.env("ORT_DYLIB_PATH", &onnx.library)).exits(0).json()["done"].as_i64().unwrap()
    };
    assert_eq!(fetch_with_onnx(&native), 0, "everything is done already");
    assert!(fetch_with_onnx(&other) > 10);
    let rows = |dir: &TestDir| -> Vec<String> {
        let rows = dir.segments(&[]);
        let mut rows: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "{} {} {} {} {}",
                    row["source"], row["recipe"], row["start_sample"], row["end_sample"], row["sha256"]
                )
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&native), rows(&other));
}

/// The official package's file needs no flag except its path.
#[test]
fn onnx_runtime_computes_models_that_the_native_engine_cannot() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    let file = onnx.per_window.display().to_string();
    let mut command = dir.command(&["fetch", &speech(), "--vad-model", &file, "--json"]);
    assert_eq!(run(command.env("ORT_DYLIB_PATH", &onnx.library)).exits(0).json()["done"], 1);
    assert_eq!(dir.segments(&[]).len(), 3);
    // Without the library, the message has the reasons of both engines.
    let output =
        run(dir.command(&["fetch", &speech(), "--vad-model", &file]).env("ORT_DYLIB_PATH", "gone.so")).exits(2);
    assert_message(&output, &["not a Silero VAD v6", "so it needs ONNX Runtime", "gone.so"]);
}

#[test]
fn a_failed_computation_fails_only_its_recording() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "1.wav");
    dir.copy("quiet/silence.wav", "2.wav");
    dir.run(&["add", "1.wav", "2.wav"]).exits(0);
    dir.query_row("UPDATE recording SET max_attempts = 1");
    let args = ["fetch", "--json", "--workers", "1", "--vad-model", &model("fails_on_sound.onnx")];
    let output = run(dir.command(&args).env("ORT_DYLIB_PATH", &onnx.library)).exits(1).json();
    assert_eq!((&output["done"], &output["errors"]["vad_error"]), (&1.into(), &1.into()), "{output}");
    let status = dir.status();
    let failure = &status["failures"][0];
    let error = failure["error"].as_str().unwrap();
    assert!(error.contains("1.wav: ONNX Runtime failed: ") && error.contains("out of data bounds"), "{error}");
    assert!(dir.files("segments").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_of_a_python_environment_is_found() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    let package = dir.path("venv/lib/python3.11/site-packages/onnxruntime/capi");
    fs::create_dir_all(&package).unwrap();
    std::os::unix::fs::symlink(&onnx.library, package.join("libonnxruntime.so.1.31.1")).unwrap();
    let mut command = dir.command(&["doctor", "--json", "--vad-engine", "onnx"]);
    let output = run(command.env("VIRTUAL_ENV", dir.path("venv"))).exits(0).json();
    let runtime = &output["onnx_runtime"];
    assert!(runtime["path"].as_str().unwrap().contains("venv/lib/python3.11"), "{runtime}");
    assert_eq!(runtime["origin"], "in a Python environment");
    assert!(runtime["version"].as_str().unwrap().starts_with("1."), "{runtime}");
    assert!(runtime["providers"].as_array().unwrap().contains(&"CPU".into()), "{runtime}");
}
