//! The migrations are compiled in by a macro, which cargo does not see reading them: a change in them alone, without
//! this, would not build them anew.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
