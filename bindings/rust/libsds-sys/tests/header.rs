//! What is declared here is what the header declares, and lies where the C compiler puts it.

use std::fs;
use std::mem::{size_of, MaybeUninit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::addr_of;

use libsds_sys::*;

fn header_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../include")
}

/// The header without comments and directives, each stretch of white space one space.
fn header() -> String {
    let text = fs::read_to_string(header_folder().join("libsds.h")).expect("include/libsds.h");
    let mut plain = String::new();
    let mut rest = &text[text.find("extern \"C\" {").expect("the declarations")..];
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = comment.split_once("*/").expect("the end of a comment").1;
    }
    plain.push_str(rest);
    let lines = plain.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// This crate's declarations in the same form, without the commas that rustfmt puts at the end.
fn declarations() -> String {
    let lines = include_str!("../src/lib.rs").lines().filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    text.replace("( ", "(")
        .replace(", )", ")")
        .replace(", >", ">")
        .replace("Option< ", "Option<")
        .replace("r#", "")
}

fn type_of(c: &str) -> String {
    match c.trim() {
        "int" => "c_int",
        "size_t" => "usize",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "uint32_t" => "u32",
        "size_t *" => "*mut usize",
        "int64_t *" => "*mut i64",
        "const uint8_t *" => "*const u8",
        "uint8_t **" => "*mut *mut u8",
        "const char *" => "*const c_char",
        "const char *const *" => "*const *const c_char",
        "char **" => "*mut *mut c_char",
        "void *" => "*mut c_void",
        "const void *" => "*const c_void",
        "void **" => "*mut *mut c_void",
        "SdsCall *" => "*mut SdsCall",
        "SdsUnwrapped **" => "*mut *mut SdsUnwrapped",
        pointer if pointer.starts_with("const Sds") && pointer.ends_with(" *") => {
            return format!("*const {}", &pointer[6..pointer.len() - 2]);
        }
        callback if callback.starts_with("Sds") && !callback.contains(' ') => callback,
        other => panic!("a type of the header that nobody knows here: {other:?}"),
    }
    .to_string()
}

fn member(c: &str) -> String {
    let c = c.trim();
    let name = c.rfind(|byte: char| !byte.is_alphanumeric()).expect("a type and a name") + 1;
    format!("{}: {}", &c[name..], type_of(&c[..name]))
}

fn function(result: &str, rest: &str) -> String {
    let parameters = rest.trim_end().strip_suffix(')').expect("the end of a prototype");
    let parameters = match parameters {
        "void" => String::new(),
        some => some.split(',').map(member).collect::<Vec<_>>().join(", "),
    };
    match result.trim() {
        "void" => format!("({parameters})"),
        value => format!("({parameters}) -> {}", type_of(value)),
    }
}

/// `int (*name)(...)` as (result, name, the rest behind the opening bracket).
fn pointer(declaration: &str) -> Option<(&str, &str, &str)> {
    let (result, rest) = declaration.split_once(" (*")?;
    let (name, rest) = rest.split_once(")(")?;
    Some((result, name, rest))
}

/// Everything that the header declares, as this crate should.
fn expected() -> Vec<String> {
    let header = header();
    let mut rest = header.split_once('{').expect("extern \"C\" {").1;
    let mut found = Vec::new();
    while let Some(end) = rest.find(';') {
        let declaration = rest[..end].trim();
        if let Some(body) = declaration.strip_prefix("typedef struct {") {
            let start = rest.find('{').expect("its start") + 1;
            let length = rest[start..].find('}').expect("its end");
            let members = rest[start..start + length].split(';').map(str::trim).filter(|m| !m.is_empty());
            let members: String = members
                .map(|m| match pointer(m) {
                    Some((result, name, rest)) => {
                        format!("pub {name}: Option<unsafe extern \"C\" fn{}>, ", function(result, rest))
                    }
                    None => format!("pub {}, ", member(m)),
                })
                .collect();
            rest = &rest[start + length + 1..];
            let (name, behind) = rest.split_once(';').expect("its name");
            found.push(format!("pub struct {} {{ {members}}}", name.trim()));
            rest = behind;
            assert!(!body.is_empty());
            continue;
        }
        rest = &rest[end + 1..];
        if let Some(body) = declaration.strip_prefix("typedef enum {") {
            let (values, name) = body.split_once('}').expect("the end of an enumeration");
            for value in values.split(',') {
                let (constant, number) = value.split_once('=').expect("a number");
                found.push(format!("pub const {}: {} = {};", constant.trim(), name.trim(), number.trim()));
            }
        } else if let Some(callback) = declaration.strip_prefix("typedef void (*") {
            let (name, rest) = callback.split_once(")(").expect("a callback");
            found
                .push(format!("pub type {name} = Option<unsafe extern \"C\" fn{}>;", function("void", rest)));
        } else if !declaration.starts_with("typedef") {
            let (before, rest) = declaration.split_once('(').expect("a prototype");
            let name = before.rfind(|byte: char| !byte.is_alphanumeric()).expect("a result") + 1;
            found.push(format!("pub fn {}{};", &before[name..], function(&before[..name], rest)));
        }
    }
    found
}

#[test]
fn every_declaration_is_that_of_the_header() {
    let (expected, declarations) = (expected(), declarations());
    for declaration in &expected {
        assert!(declarations.contains(declaration.as_str()), "not declared: {declaration}");
    }
    let count = |prefix: &str| expected.iter().filter(|declaration| declaration.starts_with(prefix)).count();
    assert_eq!(count("pub fn "), 37);
    assert_eq!(count("pub fn "), declarations.matches("pub fn ").count());
    assert_eq!(count("pub struct "), 6);
    assert_eq!(count("pub struct ") + 1, declarations.matches("pub struct ").count()); // and SdsCall
    assert_eq!(count("pub type "), 4);
    assert_eq!(count("pub const SDS_"), 13 + 3 + 8);
}

macro_rules! layouts {
    ($($structure:ident { $($member:ident)* })*) => {
        /// What this crate thinks, and a C program that says what the C compiler thinks.
        fn layouts() -> (String, String) {
            let mut ours = String::new();
            let mut program = String::from("#include <libsds.h>\n#include <stdio.h>\nint main(void) {\n");
            $(
                let place = MaybeUninit::<$structure>::uninit();
                let place = place.as_ptr();
                ours += &format!("{} {}\n", stringify!($structure), size_of::<$structure>());
                program += &format!("printf(\"{0} %zu\\n\", sizeof({0}));\n", stringify!($structure));
                $(
                    // SAFETY: the address is within the place, and nothing is read.
                    let at = unsafe { addr_of!((*place).$member) } as usize - place as usize;
                    let member = stringify!($member).trim_start_matches("r#");
                    ours += &format!("{}.{member} {at}\n", stringify!($structure));
                    program += &format!(
                        "printf(\"{0}.{member} %zu\\n\", offsetof({0}, {member}));\n", stringify!($structure)
                    );
                )*
            )*
            (ours, program + "return 0; }\n")
        }
    };
}

layouts! {
    SdsDependency { messageId hint hintLen senderId }
    SdsUnwrapped {
        size kind content contentLen channelId messageId senderId lamport duplicate buffered missing missingCount
    }
    SdsEvent {
        size r#type channelId messageId message messageLen deps depCount attempts channelIds channelCount
    }
    SdsHistoryRecord { messageId lamport message messageLen }
    SdsPersistence {
        size saveChannelMeta updateHistory loadChannel dropChannel setRetrievalHint commit
    }
    SdsOptions {
        size participantId configJson persistence persistenceUserData eventHandler eventUserData hintProvider
        hintUserData
    }
}

#[test]
fn every_struct_has_the_layout_that_the_c_compiler_gives_it() {
    let (ours, program) = layouts();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (folder.join("layout.c"), folder.join("layout"));
    fs::write(&source, program).expect("layout.c");
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let compiled =
        Command::new(cc).arg("-I").arg(header_folder()).arg(&source).arg("-o").arg(&binary).status();
    assert!(compiled.expect("a C compiler").success());
    let output = Command::new(binary).output().expect("the program runs");
    assert_eq!(String::from_utf8(output.stdout).expect("text"), ours);
}

#[test]
fn the_library_has_the_abi_that_is_declared() {
    // SAFETY: it may be called anywhere.
    assert_eq!(unsafe { SdsAbiVersion() }, SDS_ABI_VERSION);
}
