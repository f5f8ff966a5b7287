//! The system calls that the programs make, and the errors that each of them can have (the manual pages, section 2).
//!
//! EINTR stands where a signal handler can interrupt the call. Errors that only a wrong argument can cause (EBADF,
//! EFAULT, most of EINVAL) are left out, but for calls that an older kernel or a sandbox may lack (ENOSYS, EPERM).

use libc::*;

/// A system call, and what it is made to fail with.
#[derive(Debug)]
pub struct Call {
    pub name: &'static str,
    pub number: i64,
    pub errors: &'static [i32],
    /// Whether it is made slow too.
    pub slow: bool,
}

macro_rules! calls {
    ($($name:ident $number:ident [$($error:ident)*] $slow:ident;)*) => {
        &[$(Call {
            name: stringify!($name),
            number: $number,
            errors: &[$($error),*],
            slow: calls!(@ $slow),
        }),*]
    };
    (@ slow) => { true };
    (@ quick) => { false };
}

/// By their name in the manual. `quick`: what cannot wait for anybody is not made slow.
pub const CALLS: &[Call] = calls! {
    // Sockets.
    socket SYS_socket [EACCES EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTONOSUPPORT] slow;
    socketpair SYS_socketpair [EMFILE ENFILE ENOMEM] slow;
    bind SYS_bind [EACCES EADDRINUSE ENOMEM EPERM] slow;
    connect SYS_connect [EACCES EAGAIN ECONNREFUSED EINTR EINPROGRESS ENETUNREACH ENOENT ETIMEDOUT] slow;
    sendto SYS_sendto [EAGAIN ECONNREFUSED EINTR ENOBUFS ENOMEM EPERM EPIPE] slow;
    sendmsg SYS_sendmsg [EACCES EAGAIN ECONNREFUSED EINTR EMSGSIZE ENOBUFS ENOENT ENOMEM EPERM EPIPE] slow;
    sendmmsg SYS_sendmmsg [EAGAIN ECONNREFUSED EINTR ENOBUFS ENOMEM EPERM] slow;
    recvfrom SYS_recvfrom [EAGAIN ECONNREFUSED EINTR ENOBUFS ENOMEM] slow;
    recvmsg SYS_recvmsg [EAGAIN ECONNREFUSED EINTR ENOBUFS ENOMEM] slow;
    getsockname SYS_getsockname [ENOBUFS] quick;
    getpeername SYS_getpeername [ENOBUFS ENOTCONN] quick;
    getsockopt SYS_getsockopt [ENOPROTOOPT ENOMEM] quick;
    setsockopt SYS_setsockopt [ENOMEM ENOPROTOOPT EPERM EINVAL] slow;
    shutdown SYS_shutdown [ENOTCONN] quick;
    // Files.
    open SYS_open [EACCES EINTR EIO ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSPC EROFS] slow;
    openat SYS_openat [EACCES EINTR EIO ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSPC EROFS] slow;
    openat2 SYS_openat2 [EACCES EAGAIN EINTR EMFILE ENOSYS] slow;
    read SYS_read [EAGAIN EINTR EIO] slow;
    readv SYS_readv [EINTR EIO] slow;
    pread64 SYS_pread64 [EINTR EIO] slow;
    write SYS_write [EAGAIN EDQUOT EINTR EIO ENOSPC EPIPE] slow;
    writev SYS_writev [EAGAIN EINTR EIO ENOSPC EPIPE] slow;
    pwrite64 SYS_pwrite64 [EDQUOT EINTR EIO ENOSPC] slow;
    lseek SYS_lseek [ESPIPE] quick;
    close SYS_close [EINTR EIO] slow;
    close_range SYS_close_range [ENOMEM ENOSYS] quick;
    ftruncate SYS_ftruncate [EFBIG EINTR EIO ENOSPC] slow;
    fallocate SYS_fallocate [EINTR EIO ENOSPC EOPNOTSUPP] slow;
    fsync SYS_fsync [EIO ENOSPC EINTR] slow;
    fdatasync SYS_fdatasync [EIO ENOSPC EINTR] slow;
    flock SYS_flock [EINTR ENOLCK EWOULDBLOCK] slow;
    fcntl SYS_fcntl [EAGAIN EINTR EMFILE ENOLCK] slow;
    ioctl SYS_ioctl [ENOTTY ENOMEM EPERM] quick;
    dup SYS_dup [EMFILE] quick;
    dup2 SYS_dup2 [EBUSY EINTR EMFILE] quick;
    dup3 SYS_dup3 [EBUSY EINTR EMFILE] quick;
    pipe2 SYS_pipe2 [EMFILE ENFILE] quick;
    memfd_create SYS_memfd_create [EMFILE ENOMEM ENOSYS] quick;
    stat SYS_stat [EACCES EIO ENOENT ENOMEM] slow;
    lstat SYS_lstat [EACCES EIO ENOENT ENOMEM] slow;
    fstat SYS_fstat [EIO ENOMEM] slow;
    newfstatat SYS_newfstatat [EACCES EIO ENOENT ENOMEM] slow;
    statx SYS_statx [EACCES EIO ENOENT ENOMEM ENOSYS] slow;
    statfs SYS_statfs [EACCES EINTR EIO ENOSYS] slow;
    fstatfs SYS_fstatfs [EINTR EIO ENOSYS] slow;
    access SYS_access [EACCES EIO ENOENT] quick;
    faccessat SYS_faccessat [EACCES EIO ENOENT] quick;
    faccessat2 SYS_faccessat2 [EACCES EIO ENOENT ENOSYS] quick;
    readlink SYS_readlink [EACCES EIO ENOENT] slow;
    readlinkat SYS_readlinkat [EACCES EIO ENOENT] slow;
    getcwd SYS_getcwd [ENOENT] quick;
    chdir SYS_chdir [EACCES ENOENT] quick;
    fchdir SYS_fchdir [EACCES] quick;
    getdents64 SYS_getdents64 [EIO ENOENT] slow;
    mkdir SYS_mkdir [EACCES EDQUOT EEXIST EMLINK ENOSPC EROFS] slow;
    mkdirat SYS_mkdirat [EACCES EDQUOT EEXIST EMLINK ENOSPC EROFS] slow;
    rename SYS_rename [EACCES EBUSY EDQUOT EIO ENOSPC EROFS] slow;
    renameat SYS_renameat [EACCES EBUSY EDQUOT EIO ENOSPC EROFS] slow;
    renameat2 SYS_renameat2 [EACCES EBUSY EDQUOT EIO ENOSPC EROFS ENOSYS] slow;
    link SYS_link [EACCES EEXIST EMLINK ENOSPC EPERM] slow;
    linkat SYS_linkat [EACCES EEXIST EMLINK ENOSPC EPERM] slow;
    symlinkat SYS_symlinkat [EACCES EEXIST ENOSPC] slow;
    unlink SYS_unlink [EACCES EBUSY EIO EROFS] slow;
    unlinkat SYS_unlinkat [EACCES EBUSY EIO EROFS ENOTEMPTY] slow;
    rmdir SYS_rmdir [EACCES EBUSY ENOTEMPTY EROFS] slow;
    chmod SYS_chmod [EPERM EROFS] quick;
    fchmod SYS_fchmod [EPERM EROFS] quick;
    fchmodat SYS_fchmodat [EPERM EROFS] quick;
    fchown SYS_fchown [EPERM EROFS] quick;
    fchownat SYS_fchownat [EPERM EROFS] quick;
    utimensat SYS_utimensat [EACCES EROFS] quick;
    umask SYS_umask [] quick;
    fgetxattr SYS_fgetxattr [ENOTSUP] quick;
    fadvise64 SYS_fadvise64 [] quick;
    inotify_init1 SYS_inotify_init1 [EMFILE ENFILE ENOMEM] slow;
    inotify_add_watch SYS_inotify_add_watch [EACCES ENOENT ENOMEM ENOSPC] slow;
    inotify_rm_watch SYS_inotify_rm_watch [] quick;
    // Waiting.
    epoll_create1 SYS_epoll_create1 [EMFILE ENFILE ENOMEM] slow;
    epoll_ctl SYS_epoll_ctl [ENOMEM ENOSPC EPERM] slow;
    epoll_wait SYS_epoll_wait [EINTR] slow;
    epoll_pwait SYS_epoll_pwait [EINTR] slow;
    poll SYS_poll [EINTR ENOMEM] slow;
    ppoll SYS_ppoll [EINTR ENOMEM] slow;
    select SYS_select [EINTR ENOMEM] slow;
    pselect6 SYS_pselect6 [EINTR ENOMEM] slow;
    eventfd2 SYS_eventfd2 [EMFILE ENFILE ENOMEM] slow;
    timerfd_create SYS_timerfd_create [EMFILE ENFILE ENOMEM] slow;
    timerfd_settime SYS_timerfd_settime [ECANCELED] slow;
    signalfd4 SYS_signalfd4 [EMFILE ENFILE ENOMEM] slow;
    nanosleep SYS_nanosleep [EINTR] quick;
    alarm SYS_alarm [] quick;
    setitimer SYS_setitimer [] quick;
    timer_create SYS_timer_create [EAGAIN ENOMEM] quick;
    timer_settime SYS_timer_settime [] quick;
    clock_nanosleep SYS_clock_nanosleep [EINTR] quick;
    clock_gettime SYS_clock_gettime [] quick;
    gettimeofday SYS_gettimeofday [] quick;
    // A futex(2) that fails is not survivable by design (glibc ends the process), EINTR is.
    futex SYS_futex [EINTR EAGAIN] slow;
    // Memory.
    brk SYS_brk [ENOMEM] quick;
    mmap SYS_mmap [EAGAIN ENOMEM] slow;
    mremap SYS_mremap [ENOMEM] quick;
    mprotect SYS_mprotect [ENOMEM EACCES] quick;
    munmap SYS_munmap [ENOMEM] quick;
    madvise SYS_madvise [EAGAIN ENOMEM] quick;
    // Processes.
    clone SYS_clone [EAGAIN ENOMEM EPERM] slow;
    clone3 SYS_clone3 [EAGAIN ENOMEM ENOSYS EPERM] slow;
    fork SYS_fork [EAGAIN ENOMEM] slow;
    vfork SYS_vfork [EAGAIN ENOMEM] slow;
    // Not ENOEXEC: execvp(3) of glibc would have /bin/sh run the file, which would take one of our programs for a script.
    execve SYS_execve [EACCES EAGAIN EIO ENOENT ENOMEM ETXTBSY] slow;
    wait4 SYS_wait4 [EINTR] slow;
    waitid SYS_waitid [EINTR] slow;
    kill SYS_kill [EPERM ESRCH] slow;
    tkill SYS_tkill [EAGAIN] quick;
    tgkill SYS_tgkill [EAGAIN] quick;
    pidfd_open SYS_pidfd_open [EMFILE ENFILE ENOMEM ENOSYS ESRCH] slow;
    pidfd_send_signal SYS_pidfd_send_signal [EPERM ESRCH] slow;
    prctl SYS_prctl [EINVAL EPERM] quick;
    landlock_create_ruleset SYS_landlock_create_ruleset [EMFILE ENOMEM ENOSYS EOPNOTSUPP] quick;
    landlock_add_rule SYS_landlock_add_rule [ENOMEM] quick;
    landlock_restrict_self SYS_landlock_restrict_self [ENOMEM EPERM] quick;
    prlimit64 SYS_prlimit64 [EPERM] quick;
    setpgid SYS_setpgid [EACCES EPERM] quick;
    setsid SYS_setsid [EPERM] quick;
    setgroups SYS_setgroups [EPERM ENOMEM] quick;
    setgid SYS_setgid [EPERM] quick;
    setuid SYS_setuid [EPERM EAGAIN] quick;
    setresgid SYS_setresgid [EPERM] quick;
    setresuid SYS_setresuid [EPERM EAGAIN] quick;
    sched_getaffinity SYS_sched_getaffinity [ENOSYS] quick;
    sched_yield SYS_sched_yield [] quick;
    getrandom SYS_getrandom [EINTR ENOSYS] slow;
    uname SYS_uname [] quick;
    sysinfo SYS_sysinfo [] quick;
    seccomp SYS_seccomp [EINVAL EACCES] quick;
    landlock_create_ruleset SYS_landlock_create_ruleset [ENOSYS EOPNOTSUPP] quick;
    landlock_add_rule SYS_landlock_add_rule [ENOSYS] quick;
    landlock_restrict_self SYS_landlock_restrict_self [EPERM] quick;
    // Of unshare(1), in which a story starts a program.
    mount SYS_mount [] quick;
    unshare SYS_unshare [] quick;
    // Signals.
    rt_sigaction SYS_rt_sigaction [] quick;
    rt_sigprocmask SYS_rt_sigprocmask [] quick;
    rt_sigpending SYS_rt_sigpending [] quick;
    rt_sigsuspend SYS_rt_sigsuspend [EINTR] quick;
    rt_sigtimedwait SYS_rt_sigtimedwait [EAGAIN EINTR] quick;
    rt_sigreturn SYS_rt_sigreturn [] quick;
    sigaltstack SYS_sigaltstack [ENOMEM] quick;
    // These cannot fail, or not return.
    arch_prctl SYS_arch_prctl [] quick;
    exit SYS_exit [] quick;
    exit_group SYS_exit_group [] quick;
    getegid SYS_getegid [] quick;
    geteuid SYS_geteuid [] quick;
    getgid SYS_getgid [] quick;
    getgroups SYS_getgroups [] quick;
    getpgid SYS_getpgid [] quick;
    getpgrp SYS_getpgrp [] quick;
    getpid SYS_getpid [] quick;
    getppid SYS_getppid [] quick;
    getresgid SYS_getresgid [] quick;
    getresuid SYS_getresuid [] quick;
    getsid SYS_getsid [] quick;
    gettid SYS_gettid [] quick;
    getuid SYS_getuid [] quick;
    restart_syscall SYS_restart_syscall [] quick;
    rseq SYS_rseq [ENOSYS] quick;
    set_robust_list SYS_set_robust_list [ENOSYS] quick;
    set_tid_address SYS_set_tid_address [] quick;
};

/// What a call's first argument stands for, as far as it tells errors that cannot be from those that can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    kind: Kind,
    /// O_NONBLOCK, or MSG_DONTWAIT of this call: it is never interrupted, because it never waits.
    never_waits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A regular file, a folder, a file of /proc.
    File,
    /// No descriptor yet: a file is opened to be read.
    ToBeRead,
    /// A futex(2) that wakes others, which cannot fail.
    Wakes,
    /// A pipe, a terminal or another device.
    Stream,
    /// A socket of unix(7): for datagrams, a stream, or of neither kind.
    Unix { datagrams: bool, stream: bool },
    /// A socket of netlink(7).
    Netlink,
    /// A socket of ip(7) or ipv6(7): a stream of tcp(7), or another one.
    Ip { stream: bool },
    /// Of the kernel's own: eventfd(2), timerfd_create(2), signalfd(2), inotify(7), epoll(7).
    Event,
    /// The argument is no descriptor, or not an open one.
    None,
}

impl Descriptor {
    pub const NONE: Descriptor = Descriptor { kind: Kind::None, never_waits: false };

    /// By the link in /proc/PID/fd, and a copy of the descriptor. Calls that name a file too are about that one.
    pub fn of(pid: u32, call: &seccomp_data) -> Descriptor {
        let number = i64::from(call.nr);
        let writes = (O_WRONLY | O_RDWR | O_CREAT) as u64;
        if (number == SYS_openat && call.args[2] & writes == 0)
            || (number == SYS_open && call.args[1] & writes == 0)
        {
            return Descriptor { kind: Kind::ToBeRead, never_waits: false };
        }
        let waits = [FUTEX_WAIT, FUTEX_WAIT_BITSET].contains(&(call.args[1] as i32 & FUTEX_CMD_MASK));
        if number == SYS_futex && !waits {
            return Descriptor { kind: Kind::Wakes, never_waits: true };
        }
        let flags = if number == SYS_newfstatat { call.args[3] } else { call.args[2] };
        if (number == SYS_newfstatat || number == SYS_statx) && flags & AT_EMPTY_PATH as u64 == 0 {
            return Descriptor::NONE;
        }
        let Ok(descriptor) = i32::try_from(call.args[0] as i64) else { return Descriptor::NONE };
        let link = std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}"));
        let Some(link) = link.ok().and_then(|link| link.into_os_string().into_string().ok()) else {
            return Descriptor::NONE;
        };
        let kind = match link.as_str() {
            link if link.starts_with("anon_inode:") => Kind::Event,
            link if link.starts_with("pipe:") || link.starts_with("/dev/") => Kind::Stream,
            link if link.starts_with("socket:") => socket(pid, descriptor),
            _ => Kind::File,
        };
        let sends = [SYS_sendto, SYS_recvfrom].contains(&number) && call.args[3] & MSG_DONTWAIT as u64 != 0;
        let messages =
            [SYS_sendmsg, SYS_recvmsg].contains(&number) && call.args[2] & MSG_DONTWAIT as u64 != 0;
        Descriptor { kind, never_waits: sends || messages || is_nonblocking(pid, descriptor) }
    }
}

/// Octal, as in `flags: 02004002` of proc_pid_fdinfo(5).
fn is_nonblocking(pid: u32, descriptor: i32) -> bool {
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|it| it & O_NONBLOCK != 0)
}

/// The kind of a socket, by a copy of it.
fn socket(pid: u32, descriptor: i32) -> Kind {
    let option = |copy: i32, name: i32| {
        let (mut value, mut length) = (0_i32, 4_u32);
        // SAFETY: the kernel writes at most as many octets as `length` says.
        unsafe { getsockopt(copy, SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) };
        value
    };
    // SAFETY: these calls take numbers only, and the descriptors that they make are closed here. PIDFD_THREAD, because a
    // call may be a thread's.
    unsafe {
        let process = syscall(SYS_pidfd_open, pid, O_EXCL) as i32;
        let copy = syscall(SYS_pidfd_getfd, process, descriptor, 0) as i32;
        let (datagrams, stream) = (option(copy, SO_TYPE) == SOCK_DGRAM, option(copy, SO_TYPE) == SOCK_STREAM);
        let kind = match option(copy, SO_DOMAIN) {
            AF_UNIX => Kind::Unix { datagrams, stream },
            AF_NETLINK => Kind::Netlink,
            _ => Kind::Ip { stream },
        };
        close(copy);
        close(process);
        kind
    }
}

/// Calls that move data, by whether they take or give some.
const TAKES: [i64; 5] = [SYS_read, SYS_readv, SYS_pread64, SYS_recvfrom, SYS_recvmsg];
const GIVES: [i64; 6] = [SYS_write, SYS_writev, SYS_pwrite64, SYS_sendto, SYS_sendmsg, SYS_sendmmsg];

/// Those of them that `short.rs` can shorten. (Of sendmsg(2), recvmsg(2) and sendmmsg(2), netready uses datagrams only.)
pub const SHORTENED: [i64; 8] =
    [SYS_read, SYS_readv, SYS_pread64, SYS_recvfrom, SYS_write, SYS_writev, SYS_pwrite64, SYS_sendto];

impl Call {
    /// The errors that the call can have on such a descriptor.
    pub fn errors(&self, descriptor: Descriptor) -> impl Iterator<Item = i32> {
        self.errors.iter().copied().filter(move |errno| self.can_be(*errno, descriptor))
    }

    /// Whether the kernel may move fewer octets than it was asked to. A datagram and what the kernel's own descriptors
    /// give is moved whole.
    pub fn can_be_short(&self, Descriptor { kind, .. }: Descriptor) -> bool {
        let stream = match kind {
            Kind::File | Kind::Stream => true,
            Kind::Unix { stream, .. } | Kind::Ip { stream } => stream,
            Kind::ToBeRead | Kind::Wakes | Kind::Netlink | Kind::Event | Kind::None => false,
        };
        stream && SHORTENED.contains(&self.number)
    }

    /// Whether the call can have this error on such a descriptor.
    pub fn can_be(&self, errno: i32, Descriptor { kind, never_waits }: Descriptor) -> bool {
        let (takes, gives) = (TAKES.contains(&self.number), GIVES.contains(&self.number));
        let stats = [SYS_newfstatat, SYS_statx].contains(&self.number);
        match kind {
            Kind::ToBeRead => return !matches!(errno, EROFS | ENOSPC),
            Kind::Wakes => return false,
            _ => {}
        }
        if kind != Kind::None && stats {
            return !matches!(errno, EACCES | ENOENT);
        }
        if !takes && !gives {
            return true;
        }
        match (errno, kind) {
            // An eventfd(2) has room for 2⁶⁴ writes, and the others are read when they are readable.
            (_, Kind::Event) => false,
            (EINTR | EAGAIN, Kind::File) => errno == EINTR,
            // The kernel says so of nothing that poll(2) and epoll(7) call readable.
            (EAGAIN, _) if takes => false,
            // The kernel takes a request while it is sent: there is no queue that could be full.
            (EAGAIN, Kind::Netlink) if gives => false,
            (EAGAIN, _) => never_waits,
            (EINTR, _) => !never_waits,
            (EDQUOT | ENOSPC, _) => kind == Kind::File,
            (EPIPE, _) => {
                matches!(kind, Kind::Stream | Kind::Unix { datagrams: false, .. } | Kind::Ip { .. })
            }
            (ECONNREFUSED, Kind::Unix { datagrams, .. }) => gives && datagrams,
            (ECONNREFUSED, Kind::Netlink) => gives,
            // What has arrived at a local socket is in memory already.
            (ENOBUFS | ENOMEM, Kind::Unix { .. } | Kind::Stream) => gives,
            _ => true,
        }
    }
}

/// The row of a system call.
pub fn call(number: i64) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.number == number)
}

/// The name of an errno(3): `EINTR`.
pub fn errno_name(errno: i32) -> String {
    format!("{:?}", nix::errno::Errno::from_raw(errno))
}
