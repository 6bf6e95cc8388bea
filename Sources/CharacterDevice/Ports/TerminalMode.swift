// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The raw mode of the terminal that is our standard input, and the way back, whatever ends the process.
enum TerminalMode {
  /// What signal handlers and the exit handler need; there is one terminal for a process.
  private struct Saved {
    var descriptor: Int32
    var original: termios
    var raw: termios
  }

  // Set before the handlers that read it are installed, and by the thread that opens and closes the port, with
  // the machine's lock held. Memory is never given back, so a handler never reads freed memory.
  nonisolated(unsafe) private static let saved = UnsafeMutablePointer<Saved>.allocate(capacity: 1)
  nonisolated(unsafe) private static let isRaw = {
    let flag = UnsafeMutablePointer<Bool>.allocate(capacity: 1)
    flag.initialize(to: false)
    return flag
  }()
  /// The signals' actions before ours, by number.
  nonisolated(unsafe) private static let previous = {
    let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
    actions.initialize(repeating: sigaction(), count: 65)
    return actions
  }()
  /// Installs the handlers, once.
  private static let handlersInstalled: Bool = {
    atexit { TerminalMode.restore() }
    // What kills us without the event loop's knowledge.
    for number in [SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGQUIT] {
      install(number) { number in
        TerminalMode.restore()
        // Whoever handled it before (a backtracer, or nobody) has its turn when this returns.
        sigaction(number, TerminalMode.previous + Int(number), nil)
        raise(number)
      }
    }
    // Back in the foreground after Ctrl-Z.
    install(SIGCONT) { _ in
      if TerminalMode.isRaw.pointee { TerminalMode.apply(TerminalMode.saved.pointee.raw) }
    }
    return true
  }()

  /// Puts the terminal into raw mode: no echo, no lines, every key at once. Output processing stays on, so that
  /// a line feed still returns the carriage.
  static func makeRaw(_ descriptor: Int32, keepsSignals: Bool) {
    var original = termios()
    guard !isRaw.pointee, tcgetattr(descriptor, &original) == 0 else { return }
    let raw = raw(from: original, keepsSignals: keepsSignals)
    saved.initialize(to: Saved(descriptor: descriptor, original: original, raw: raw))
    isRaw.pointee = true
    _ = handlersInstalled
    apply(raw)
  }

  /// The raw mode made from a terminal's present one.
  static func raw(from original: termios, keepsSignals: Bool) -> termios {
    var mode = original
    mode.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
    mode.c_oflag |= tcflag_t(OPOST)
    mode.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN)
    if !keepsSignals { mode.c_lflag &= ~tcflag_t(ISIG) }
    mode.c_cflag = mode.c_cflag & ~tcflag_t(CSIZE | PARENB) | tcflag_t(CS8)
    mode.c_cc.6 = 1  // VMIN
    mode.c_cc.5 = 0  // VTIME
    return mode
  }

  /// Puts the terminal back as it was. Safe in a signal handler.
  static func restore() {
    guard isRaw.pointee else { return }
    isRaw.pointee = false
    apply(saved.pointee.original)
  }

  /// Sets the mode, in the background, too, where SIGTTOU would stop us.
  private static func apply(_ mode: termios) {
    var mode = mode
    var stop = sigset_t()
    var before = sigset_t()
    sigemptyset(&stop)
    sigaddset(&stop, SIGTTOU)
    pthread_sigmask(SIG_BLOCK, &stop, &before)
    tcsetattr(saved.pointee.descriptor, TCSANOW, &mode)
    pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  /// Installs a handler in front of the present one, unless the signal is ignored (SIG_IGN is the address 1).
  private static func install(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
    let before = previous + Int(number)
    guard sigaction(number, nil, before) == 0,
      unsafeBitCast(before.pointee.__sigaction_handler.sa_handler, to: Int.self) != 1
    else { return }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    action.sa_flags = SA_ONSTACK
    sigaction(number, &action, nil)
  }
}
