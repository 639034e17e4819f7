//! The `tilework` command.

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    quiet_wayland();
    tilework::cli::main()
}

/// Mesa's Vulkan layer asks for a Wayland display when devices are listed, and where there is no folder for one, as in a
/// container, libwayland writes `error: XDG_RUNTIME_DIR is invalid or not set` on our standard error, twice.
#[cfg(target_os = "linux")]
fn quiet_wayland() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(FOLDER).is_none() {
        // SAFETY: the first statement of the process; no other thread reads the environment yet.
        unsafe { std::env::set_var(FOLDER, std::env::temp_dir()) };
    }
}
