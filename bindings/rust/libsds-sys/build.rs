//! Finds libsds: in LIBSDS_DIR, or where pkg-config says. LIBSDS_STATIC=1 links the archive.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// What stands in the way of linking, for whoever runs cargo.
struct Trouble {
    looked: Vec<String>,
}

fn main() {
    for name in ["LIBSDS_DIR", "LIBSDS_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH", "DOCS_RS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation is not linked
    }
    let is_static = env::var("LIBSDS_STATIC").is_ok_and(|value| value == "1");
    match find(is_static) {
        Ok(folder) => link(&folder, is_static),
        Err(trouble) => {
            eprintln!("error: libsds was not found.\n\nLooked for it:");
            for line in trouble.looked {
                eprintln!("  - {line}");
            }
            eprintln!(
                "\nBuild it with `make lib` in its source tree and set LIBSDS_DIR to the build folder \
                 there,\nor install it with `make install`, and set PKG_CONFIG_PATH if its prefix is \
                 not one that\npkg-config searches."
            );
            process::exit(1);
        }
    }
}

fn link(folder: &Path, is_static: bool) {
    println!("cargo:rustc-link-search=native={}", folder.display());
    if is_static {
        println!("cargo:rustc-link-lib=static=sds");
        println!("cargo:rustc-link-lib=pthread");
    } else {
        println!("cargo:rustc-link-lib=dylib=sds");
    }
    println!("cargo:rerun-if-changed={}", folder.join(file_name(is_static)).display());
    println!("cargo:libdir={}", folder.display());
}

fn find(is_static: bool) -> Result<PathBuf, Trouble> {
    let mut looked = Vec::new();
    if let Some(given) = env::var_os("LIBSDS_DIR") {
        // Who names a folder means it: another library in its place would be a surprise.
        let given = PathBuf::from(given);
        for folder in [given.clone(), given.join("lib")] {
            match has_library(&folder, is_static) {
                Ok(found) => return Ok(found),
                Err(why) => looked.push(format!("LIBSDS_DIR: {why}")),
            }
        }
        return Err(Trouble { looked });
    }
    looked.push("LIBSDS_DIR: not set".to_string());
    match ask_pkg_config().and_then(|folder| has_library(&folder, is_static)) {
        Ok(folder) => Ok(folder),
        Err(why) => {
            looked.push(format!("pkg-config: {why}"));
            Err(Trouble { looked })
        }
    }
}

fn file_name(is_static: bool) -> String {
    if is_static {
        return "libsds.a".to_string();
    }
    let suffix = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "dylib",
        _ => "so",
    };
    format!("libsds.{suffix}")
}

/// The folder, made absolute, since the linker runs elsewhere.
fn has_library(folder: &Path, is_static: bool) -> Result<PathBuf, String> {
    let file = folder.join(file_name(is_static));
    if file.is_file() {
        folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
    } else {
        Err(format!("there is no {}", file.display()))
    }
}

fn ask_pkg_config() -> Result<PathBuf, String> {
    let configured = env::var_os("PKG_CONFIG");
    if configured.is_none() && env::var_os("HOST") != env::var_os("TARGET") {
        return Err(
            "not asked for another target than this machine; PKG_CONFIG names the one to ask".to_string()
        );
    }
    let program = configured.unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(&program)
        .args(["--print-errors", "--variable=libdir", "libsds"])
        .output()
        .map_err(|error| format!("{} does not run: {error}", Path::new(&program).display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} knows no libsds: {}",
            Path::new(&program).display(),
            String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ")
        ));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
