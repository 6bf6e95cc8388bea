// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import EventLoop
import Glibc
import GuestMemory
import VNC

/// A machine that cannot be made: what is missing and what to do about it.
public struct MachineError: Error, CustomStringConvertible, Sendable {
  /// A sentence for people.
  public let description: String
  /// An error with that sentence.
  public init(_ description: String) { self.description = description }
  /// The sentence of another error.
  init(_ error: any Error) { description = "\(error)" }
}

/// One PC guest: the board, its CPUs on their threads, and the event loop; its run states, reset and end.
///
/// ``run()`` is the process's main loop. What devices ask (``SystemControl``) and what signals and viewers ask
/// is noted under the machine's lock and acted on by the loop, when no device is in the middle of an access.
public final class Machine: @unchecked Sendable {
  // Unchecked: everything mutable is guarded by `lock`; the threads' own state is theirs.

  /// Guards everything; held while handlers of the event loop run.
  public let lock = MachineLock()
  /// Where everything that is not a CPU happens.
  public let loop: EventLoop
  let clock: MachineClock
  /// What it was made from.
  public let configuration: MachineConfiguration
  let log: Log
  private(set) var board: Board!
  private(set) var cpuThreads: [VirtualCPUThread] = []
  private var signals: SignalWatcher?
  /// What the machine is doing.
  public internal(set) var state = RunState.prelaunch
  /// Who looks at the screen.
  public internal(set) var viewers: [ViewerFacts] = []
  /// What ends the machine.
  public var actions: Actions
  /// Who tells the world what happens.
  public var onEvent: ((MachineEvent) -> Void)?
  /// The options it was started with, as a file that starts it again; for monitors.
  public var optionsText: (() -> String)?
  /// The options there are, with the properties in their values; for monitors.
  public var knownOptions: (() -> [(name: String, properties: [String])])?
  /// What monitors type.
  private(set) lazy var keySequence = KeySequence(clock: clock, input: board.input)
  private var end: MachineEnd?

  /// Requests that wait for the event loop.
  private enum Request {
    case reset(ResetCause)
    case shutdown(ShutdownCause)
    case pause(RunState, reason: String)
    case initializeCPUs
    case crash(CrashReport)
    case fail(EngineFailure)
    case resume
  }
  private var requests: [Request] = []

  /// Builds the machine: board, CPUs and everything that connects it to the host. Afterwards viewers can
  /// connect; the guest starts with ``run()``.
  public init(_ configuration: MachineConfiguration, log: Log) throws(MachineError) {
    self.configuration = configuration
    self.log = log
    actions = Actions(
      endsOnReset: configuration.endsOnReset, pausesOnPowerOff: configuration.pausesOnPowerOff,
      onPanic: configuration.panicAction)
    do throws(HostError) {
      loop = try EventLoop(lock: lock)
    } catch {
      throw MachineError(error)
    }
    if EngineChoice.isQTest(configuration.accelerators) {
      clock = SteppedClock()
    } else if let counting = configuration.instructionClock {
      clock = InstructionClock(shift: counting.shift, sleepsWhenIdle: counting.sleepsWhenIdle)
    } else {
      clock = HostClock(loop: loop)
    }
    do {
      try lock.withLock { try build() }
    } catch {
      throw MachineError(error)
    }
  }

  /// Begins to load what a machine with viewers needs, beside whatever the caller does next. Makes a thread.
  public static func loadDisplayAhead() { VNCServer.loadAhead() }

  private func build() throws {
    let board = try Board(configuration, control: self, clock: clock, loop: loop)
    self.board = board
    if board.engine.queuesWrites {
      loop.beforeHandlers { [unowned board] in board.engine.drainCoalescedWrites() }
    }
    for drive in board.drives { tellEvents(of: drive) }
    board.onUSBDeviceGone = { [unowned self] name in
      loop.post { [unowned self] in usbDeviceGone(name) }
    }
    board.networks.onConnection = { [unowned self] stream in
      onEvent?(.networkStream(id: stream.id, stream.isConnected ? stream.settings.address : nil))
    }
    board.realTimeClock?.onTimeSet = { [unowned self] in onEvent?(.clockChanged(offset: $0)) }
    try traceAsConfigured(board)
    for index in 0..<configuration.topology.count {
      let cpu = try board.engine.makeVirtualCPU(index: index)
      cpuThreads.append(VirtualCPUThread(cpu: cpu) { [unowned self] in cpuExited($0, $1) })
    }
    signals = try SignalWatcher(loop: loop, signals: Self.handledSignals) { [unowned self] signal in
      if signal == SIGCONT { request(.resume) } else { requestShutdown(.signal) }
    }
    board.reset()
    // From here on, what the guest changes.
    for card in board.networkCards {
      card.wire.onFilterChange = { [unowned self] in
        onEvent?(.receiveFilterChanged(card: card.name, id: card.configuration.id))
      }
    }
    board.engine.prepare()
    let notices = try board.startDisplay(loop: loop, log: log) { [unowned self] facts, event in
      loop.post { [unowned self] in viewer(facts, event) }
    }
    for notice in notices { log.message("martlet: \(notice)") }
    sayWhatIsNew()
  }

  /// Says what people must know of the character devices opened since it was last said: ports, terminals.
  public func sayWhatIsNew() {
    for notice in board.characterPorts.notices { log.message("martlet: \(notice)") }
    board.characterPorts.forgetNotices()
  }

  // MARK: Running

  /// Runs the machine until it ends; called once, on the process's main thread.
  public func run() -> MachineEnd {
    for thread in cpuThreads {
      let code = thread.start()
      if code != 0 {
        finish()
        return MachineEnd(status: 1, message: "cannot start a thread: \(String(cString: strerror(code)))")
      }
    }
    lock.withLock { if !configuration.startsPaused { resume() } }
    loop.run()
    finish()
    return end ?? MachineEnd(status: 0)
  }

  /// Closes everything without having run.
  public func abandon() { finish() }

  /// Stops everything, writes out what the guest flushed and more, closes what is open.
  private func finish() {
    board.stopDisplay()
    for thread in cpuThreads { thread.end() }
    lock.withLock {
      clock.stop()
      board.close()
    }
  }

  /// Lets time and the CPUs go on. The lock is held.
  func resume() {
    guard end == nil, state != .running else { return }
    state = .running
    onEvent?(.resume)
    clock.start()
    attempt { () throws(EngineError) in try board.engine.clockStarted() }
    guard end == nil else { return }
    board.run()
    // A drive that stopped the machine tries again; it may stop it once more.
    board.retryStoppedDrives()
    guard state == .running else { return }
    letCPUsGoOn()
  }

  /// Lets the CPUs run, unless something is to be decided first; then they go on after that. The lock is held.
  func letCPUsGoOn() {
    guard requests.isEmpty, end == nil else { return }
    for thread in cpuThreads { thread.leave() }
  }

  /// Stops the CPUs. The lock is held, and given up for as long as that takes.
  func parkCPUs() {
    for thread in cpuThreads { thread.park() }
    lock.unlock()
    for thread in cpuThreads { thread.waitUntilParked() }
    lock.lock()
    board.engine.drainCoalescedWrites()
  }

  /// Stops the CPUs and time, and waits for the drives. The lock is held.
  func pause(as newState: RunState) {
    guard state == .running else { return }
    parkCPUs()
    state = newState
    clock.stop()
    board.engine.clockStopped()
    board.pause()
    board.drainDrives()
    onEvent?(.stop)
  }

  // MARK: Requests

  /// Notes a request, keeps the CPUs from going on, and wakes the loop. The lock is held.
  private func request(_ request: Request) {
    requests.append(request)
    if case .resume = request {} else { for thread in cpuThreads { thread.park() } }
    if requests.count == 1 { loop.post { [unowned self] in handleRequests() } }
  }

  /// A CPU came back with something to decide. On its thread, without the lock.
  private func cpuExited(_ thread: VirtualCPUThread, _ exit: VirtualCPUExit) {
    lock.withLock {
      switch exit {
      case .interrupted, .halted: thread.leave()
      case .shutdown: request(.reset(.tripleFault))
      case .systemReset: request(.reset(.guest))
      case .systemShutdown: request(.shutdown(.guestPowerOff))
      case .failed(let failure): request(.fail(failure))
      }
    }
  }

  /// Acts on what was asked, in order. On the loop, with the lock held.
  private func handleRequests() {
    while !requests.isEmpty, end == nil { handle(requests.removeFirst()) }
    // What was parked for a request that did not stop the machine goes on.
    if end == nil, state == .running { for thread in cpuThreads { thread.leave() } }
  }

  private func handle(_ request: Request) {
    switch request {
    case .reset(let cause):
      if actions.endsOnReset && cause != .host { return shutDown(.guestReset, MachineEnd(status: 0)) }
      reset(cause == .host ? .hostReset : .guestReset)
    case .initializeCPUs:
      parkCPUs()
      for thread in cpuThreads { attempt { () throws(EngineError) in try thread.cpu.reset() } }
    case .pause(let newState, let reason):
      pause(as: newState)
      log.message("martlet: the machine is paused: \(reason); 'kill -CONT \(getpid())' lets it go on")
    case .resume:
      // Only a reset switches a machine on again.
      if state == .shutdown { return log.message(Self.switchedOff) }
      resume()
    case .fail(let failure):
      pause(as: .internalError)
      let message = "the guest cannot go on: \(failure)"
      // Somebody who listens may want to look at it.
      if onEvent != nil { return log.message("martlet: \(message)") }
      stop(MachineEnd(status: 1, message: message))
    case .shutdown(let cause): shutDown(cause)
    case .crash(let report): crashed(report)
    }
  }

  private func crashed(_ report: CrashReport) {
    guard report == .panicked, actions.onPanic != .none else {
      onEvent?(.crashed(report, then: .run))
      return
    }
    let stays = actions.onPanic == .pause || actions.onPanic == .shutdown && actions.pausesOnPowerOff
    onEvent?(.crashed(report, then: stays ? .pause : .powerOff))
    pause(as: .guestPanicked)
    log.message("martlet: the guest says that it has crashed")
    guard !stays else { return }
    shutDown(.guestPanic, MachineEnd(status: actions.onPanic == .exitFailure ? 1 : 0))
  }

  private func shutDown(_ cause: ShutdownCause) {
    switch cause {
    case .guestPowerOff:
      guard actions.pausesOnPowerOff else { return shutDown(.guestShutdown, MachineEnd(status: 0)) }
      onEvent?(.shutdown(.guestShutdown))
      pause(as: .shutdown)
      log.message(Self.switchedOff)
    case .guestExit(let status): shutDown(.guestShutdown, MachineEnd(status: status))
    case .host: shutDown(.hostQuit, MachineEnd(status: 0))
    case .signal: shutDown(.hostSignal, MachineEnd(status: 0))
    }
  }

  private func shutDown(_ cause: MachineEvent.Cause, _ end: MachineEnd) {
    onEvent?(.shutdown(cause))
    stop(end)
  }

  private static let switchedOff = "martlet: the guest has switched off; 'kill' ends the process"

  private func reset(_ cause: MachineEvent.Cause) {
    parkCPUs()
    board.reset()
    for thread in cpuThreads { attempt { () throws(EngineError) in try thread.cpu.reset() } }
    attempt { () throws(EngineError) in try board.engine.resetPlatform() }
    // What had ended for good is as good as new.
    if [.shutdown, .internalError, .guestPanicked].contains(state) { state = .prelaunch }
    onEvent?(.reset(cause))
  }

  private func attempt(_ body: () throws(EngineError) -> Void) {
    do {
      try body()
    } catch {
      stop(MachineEnd(status: 1, message: "\(error)"))
    }
  }

  private func stop(_ newEnd: MachineEnd) {
    guard end == nil else { return }
    end = newEnd
    for thread in cpuThreads { thread.park() }
    loop.stop()
  }
}

// MARK: - What devices ask

extension Machine: SystemControl {
  public func requestReset(_ cause: ResetCause) { request(.reset(cause)) }
  public func requestShutdown(_ cause: ShutdownCause) { request(.shutdown(cause)) }
  public func requestPause(reason: String) { request(.pause(.ioError, reason: reason)) }
  public func reportCrash(_ report: CrashReport) { request(.crash(report)) }
  public func requestCPUInit() { request(.initializeCPUs) }

  /// The A20 gate stays open: neither KVM nor any guest of the last thirty years can make use of it.
  public func setA20(isEnabled: Bool) {}
}
