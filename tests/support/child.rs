//! Starts the programs of the tests, so that they end with the suite, even where it is killed.

use std::{
    io,
    process::{Child, Command},
};

/// Starts `command`. On Linux, what it runs is killed when the suite ends, however that happens.
///
/// A program that outlived its test would wait for its port, and take it from a later run as soon as
/// the number of a pseudo-terminal comes back.
#[cfg(target_os = "linux")]
pub fn spawn(mut command: Command) -> io::Result<Child> {
    use std::{
        os::unix::process::CommandExt,
        sync::{LazyLock, mpsc},
        thread,
    };

    use rustix::process::{self, Signal};

    type Order = (Command, mpsc::Sender<io::Result<Child>>);

    /// To the thread that starts all programs. The system ends a program together with the *thread*
    /// that started it, and this one ends with the suite; those of the tests come and go.
    static ORDERS: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let child = command.spawn();
                // Closes what is meant for the program alone, before the test goes on.
                drop(command);
                let _ = reply.send(child);
            }
        });
        sender
    });

    let suite = process::getpid();
    let end_with_the_suite = move || {
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The suite may have been killed before the system was told.
        let is_there = process::getppid() == Some(suite);
        is_there.then_some(()).ok_or(io::ErrorKind::NotFound.into())
    };
    // SAFETY: between fork and exec, the closure makes two system calls and takes no memory.
    unsafe { command.pre_exec(end_with_the_suite) };
    let (sender, reply) = mpsc::channel();
    let sent = ORDERS.send((command, sender));
    sent.expect("the thread ends with the suite");
    reply.recv().expect("each order is answered")
}

/// Starts `command`.
#[cfg(not(target_os = "linux"))]
pub fn spawn(mut command: Command) -> io::Result<Child> {
    command.spawn()
}
