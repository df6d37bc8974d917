//! `prepare-audio man`: the manual page, generated from the command line's definition.

use std::io::{self, Write};

use clap::Command;

/// Runs the command: prints the program's page and one for each command, as one roff document.
pub fn run(mut command: Command) -> anyhow::Result<()> {
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    subcommand_pages(&command, "prepare-audio", &mut page)?;
    io::stdout().write_all(&page)?;
    Ok(())
}

fn subcommand_pages(command: &Command, name: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{name}-{}", sub.get_name());
        clap_mangen::Man::new(sub.clone().name(name.clone())).render(page)?;
        subcommand_pages(sub, &name, page)?;
    }
    Ok(())
}
