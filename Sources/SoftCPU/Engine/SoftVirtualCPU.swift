// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory
import Synchronization

/// One virtual CPU of the engine in Swift.
///
/// It is executed by the ``SoftScheduler``'s thread; what other threads want of it they leave in
/// `attention` and in atomics.
final class SoftVirtualCPU: VirtualCPU, @unchecked Sendable {
  // Unchecked: `cpu` and all that is not atomic belongs to the executing thread, or, while the machine is
  // parked, to whoever parked it; the local APIC is guarded by the bus's lock.
  let index: Int
  let cpu: CPU
  let translations = TLBSet()
  let cpuid: SoftCPUID
  let localAPIC: any LocalInterruptController
  let bus: SystemBus
  private let machine: SoftMachine
  private let clock: Clock
  private let instructionClock: InstructionClock?
  private let scheduler: SoftScheduler
  private let attention = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
  private let jumpCache = UnsafeMutablePointer<JumpCacheEntry>.allocate(capacity: JumpCache.entryCount)
  private let vectors = UnsafeMutableRawPointer.allocate(byteCount: 256 + 128, alignment: 16)

  // MARK: What the processor is about

  /// What it is doing, as its own thread sees it.
  private(set) var activity = CPUState.Activity.running
  /// The local APIC has something to acknowledge.
  private let isInterruptRequested = Atomic<Bool>(false)
  var hasInterruptRequest: Bool { isInterruptRequested.load(ordering: .relaxed) }
  private let startupVector = Atomic<UInt8>(0)
  /// An interrupt that was acknowledged but not delivered when the state was saved.
  private var acknowledged: UInt8?
  /// The saved state did not have them: they are read from memory before anything is executed.
  var lacksPageDirectoryPointers = false
  /// The page of the local APIC's registers; all ones if it is not in memory.
  private var localAPICPage: UInt64 = ~0
  var hasDataBreakpoints = false
  var hasInstructionBreakpoints = false
  var hitDataBreakpoint = false
  var checksAlignment = false
  let interruptTrace: TraceCategory
  /// For a run that can be repeated, numbers that are the same each time.
  private var repeatableState: UInt64 = 0
  private var randomState = SystemRandomNumberGenerator()

  init(
    index: Int, cpuid: SoftCPUID, localAPIC: any LocalInterruptController, machine: SoftMachine, clock: Clock,
    scheduler: SoftScheduler
  ) {
    (self.index, self.cpuid, self.localAPIC, self.machine, self.clock, self.scheduler) = (
      index, cpuid, localAPIC, machine, clock, scheduler
    )
    instructionClock = clock as? InstructionClock
    bus = machine.bus
    interruptTrace = machine.interruptTrace
    attention.initialize(to: Atomic(0))
    jumpCache.initialize(repeating: JumpCacheEntry(), count: JumpCache.entryCount)
    vectors.initializeMemory(as: UInt8.self, repeating: 0, count: 256 + 128)
    cpu = .allocate(capacity: 1)
    cpu.initialize(
      to: Processor(
        owner: .passUnretained(self), machine: .passUnretained(machine),
        tlb: translations.data.entries(.supervisor),
        jumpCache: jumpCache, attention: attention, vectors: vectors))
    cpu.pointee.mapGeneration = machine.nextGeneration()
    machine.processors.append(cpu)
    machine.translations.append(translations)
    localAPIC.processor = self
    powerOn()
  }

  deinit {
    cpu.deallocate()
    jumpCache.deallocate()
    attention.deallocate()
    vectors.deallocate()
  }

  // MARK: VirtualCPU

  func run() -> VirtualCPUExit { scheduler.run(self) }

  func kick() { raise(Attention.kick) }

  func injectNMI() { deliverNMI() }

  /// With the machine's lock held.
  func reset() {
    localAPIC.reset()
    powerOn()
  }

  /// Notes something the run loop must see to.
  func raise(_ bit: UInt32) {
    attention.pointee.bitwiseOr(bit, ordering: .sequentiallyConsistent)
    scheduler.wake()
  }

  // MARK: Executing

  /// Whether there is something to do.
  var isRunnable: Bool {
    switch activity {
    case .running: true
    case .halted:
      attention.pointee.load(ordering: .sequentiallyConsistent) & ~Attention.kick != 0
        || isInterruptRequested.load(ordering: .relaxed) && cpu.pointee.systemFlags & Flag.interrupt != 0
    case .waitingForInit, .waitingForStartup:
      attention.pointee.load(ordering: .sequentiallyConsistent)
        & (Attention.initialize | Attention.startup | Attention.memory) != 0
    }
  }

  var isKicked: Bool { attention.pointee.load(ordering: .relaxed) & Attention.kick != 0 }

  func takeKick() { attention.pointee.bitwiseAnd(~Attention.kick, ordering: .sequentiallyConsistent) }

  /// Executes up to about `count` instructions.
  /// - Returns: what the machine must decide, or nil.
  func runSlice(_ count: UInt64) -> VirtualCPUExit? {
    cpu.pointee.stopAt = cpu.pointee.executed &+ count
    sliceStart = cpu.pointee.executed
    defer {
      tellClock()
      executedBefore = nil
    }
    executedBefore = instructionClock?.executed
    if activity == .running || activity == .halted, !deliverWhatWasUnderWay() { return shutDown() }
    repeat {
      if attention.pointee.load(ordering: .relaxed) != 0 {
        if isKicked { return nil }
        if attend() { return nil }
      }
      takeInterrupts()
      if cpu.pointee.request == .shutdown { return shutDown() }
      guard activity == .running else { return nil }
      execute()
      if cpu.pointee.exceptionVector != 0xFF {
        // It takes time, so that a guest whose handlers fault at once does not stand outside of it.
        cpu.pointee.executed &+= 1
        if !cpu.deliverException() { return shutDown() }
      }
      let request = cpu.pointee.request
      cpu.pointee.request = .none
      switch request {
      case .halt:
        activity = .halted
        if !isRunnable { return nil }
      case .shutdown: return shutDown()
      case .yield: return nil
      case .none, .again: break
      }
      // A block is entered only if all of it may be executed.
    } while cpu.pointee.executed &+ UInt64(Decoder.maximumCount) <= cpu.pointee.stopAt
    return nil
  }

  /// Executes one instruction, or delivers what it ran into instead.
  /// - Returns: what the machine must decide, or nil.
  func step() -> VirtualCPUExit? {
    cpu.activateSIMD()
    defer { cpu.deactivateSIMD() }
    if attention.pointee.load(ordering: .relaxed) != 0 { _ = attend() }
    guard activity == .running else { return nil }
    executeOne(isStepping: false)
    if cpu.pointee.exceptionVector != 0xFF, !cpu.deliverException() { return shutDown() }
    if cpu.pointee.request == .shutdown { return shutDown() }
    if cpu.pointee.request == .halt { activity = .halted }
    cpu.pointee.request = .none
    return nil
  }

  /// Where the slice began, and what the instruction clock showed then.
  private var sliceStart: UInt64 = 0
  private var executedBefore: UInt64?

  /// Brings a clock that follows the instructions up to date.
  @inline(__always)
  private func tellClock() {
    guard let executedBefore else { return }
    instructionClock?.executed = executedBefore &+ (cpu.pointee.executed &- sliceStart)
  }

  /// A triple fault: the processor stops until it is reset.
  private func shutDown() -> VirtualCPUExit {
    cpu.pointee.request = .none
    cpu.pointee.exceptionVector = 0xFF
    activity = .waitingForInit
    return .shutdown
  }

  /// Executes blocks until something wants the run loop.
  private func execute() {
    let watched = cpu.pointee.systemFlags & (Flag.trap | Flag.resume)
    if cpu.pointee.interruptShadow || watched != 0 || hasInstructionBreakpoints || hasDataBreakpoints {
      return executeOne(isStepping: watched & Flag.trap != 0)
    }
    var next = cpu.lookUp()
    while let operation = next { next = operation.operation.pointee.handler(cpu, operation) }
  }

  /// Executes one instruction: in an interrupt shadow, in single step, with breakpoints.
  private func executeOne(isStepping: Bool) {
    cpu.pointee.interruptShadow = false
    cpu.pointee.debugShadow = false
    if hasInstructionBreakpoints, cpu.hitsInstructionBreakpoint() {
      cpu.raise(.debug)
      return
    }
    cpu.pointee.systemFlags &= ~Flag.resume
    let executed = cpu.pointee.executed
    cpu.pointee.mode.bits |= ExecutionMode.single
    // A block of one instruction, whatever wants attention meanwhile.
    if let block = cpu.findBlock() {
      cpu.pointee.blockStart = block.pointee.rip
      cpu.pointee.executed &+= 1
      let operation = block.operations
      let next = operation.pointee.handler(cpu, operation)
      if let next {
        // Either the end of the block or, after a taken branch, the start of another.
        let following = next.operation
        cpu.pointee.rip =
          following == UnsafePointer(operation) + 1 ? following.pointee.immediate : cpu.pointee.blockStart
        cpu.pointee.executed = executed &+ 1
      }
    }
    cpu.pointee.mode.bits &= ~ExecutionMode.single
    guard cpu.pointee.exceptionVector == 0xFF else {
      // What faulted did not access anything.
      hitDataBreakpoint = false
      return
    }
    // Behind MOV SS and POP SS, it waits for one more instruction.
    if cpu.pointee.debugShadow { return }
    if isStepping, cpu.pointee.request != .again {
      cpu.pointee.debug[4] |= 1 << 14
      trapToDebugger()
    } else if hitDataBreakpoint {
      trapToDebugger()
    }
  }

  /// #DB after an instruction.
  private func trapToDebugger() {
    hitDataBreakpoint = false
    cpu.raise(.debug)
    cpu.pointee.exceptionIsTrap = true
    // The trap behind HLT ends the halt before it has begun.
    if cpu.pointee.request == .halt { cpu.pointee.request = .none }
  }

  /// Sees to what others asked for.
  /// - Returns: whether the slice is over: the next one ends at another deadline.
  private func attend() -> Bool {
    let bits = attention.pointee.bitwiseAnd(Attention.kick, ordering: .sequentiallyConsistent).oldValue
    if bits & Attention.memory != 0 { machine.takeOverMemoryChanges() }
    if bits & Attention.initialize != 0 { initialize() }
    if bits & Attention.startup != 0, activity == .waitingForStartup {
      let vector = startupVector.load(ordering: .relaxed)
      cpu.pointee.segments[1] = .real(UInt16(vector) << 8)
      cpu.pointee.segments[1].attributes = 0x9B
      cpu.pointee.rip = 0
      cpu.updateMode()
      activity = .running
    }
    if bits & Attention.nonMaskable != 0 {
      if cpu.pointee.nmiMasked || cpu.pointee.interruptShadow || activity == .waitingForInit
        || activity == .waitingForStartup
      {
        isNMIHeld = true
      } else {
        takeNMI()
      }
    }
    return bits & Attention.deadline != 0
  }

  /// An NMI waits until it may be delivered.
  private(set) var isNMIHeld = false

  private func takeNMI() {
    isNMIHeld = false
    if activity == .halted { activity = .running }
    if !cpu.deliverInterrupt(2, source: .external) { cpu.pointee.request = .shutdown }
    cpu.pointee.nmiMasked = true
  }

  /// Delivers an interrupt, if there is one and it is allowed.
  private func takeInterrupts() {
    if isNMIHeld, !cpu.pointee.nmiMasked, !cpu.pointee.interruptShadow, activity != .waitingForInit,
      activity != .waitingForStartup
    {
      takeNMI()
    }
    guard isInterruptRequested.load(ordering: .relaxed), cpu.pointee.systemFlags & Flag.interrupt != 0,
      !cpu.pointee.interruptShadow, activity == .running || activity == .halted
    else { return }
    bus.lock.lock()
    let vector = localAPIC.acknowledge()
    bus.lock.unlock()
    guard let vector else { return }
    activity = .running
    if !cpu.deliverInterrupt(vector, source: .external) { cpu.pointee.request = .shutdown }
  }

  /// Goes on as a saved state says.
  func resume(activity: CPUState.Activity, pending: CPUState.PendingEvents) {
    self.activity = activity
    cpu.pointee.interruptShadow = pending.interruptShadow != 0
    cpu.pointee.nmiMasked = pending.nmiMasked
    isNMIHeld = pending.nmiPending || pending.nmiInjected
    // One that was under way is taken again, masked or not.
    if pending.nmiInjected { cpu.pointee.nmiMasked = false }
    cpu.pointee.exceptionVector = pending.exception ?? 0xFF
    cpu.pointee.exceptionErrorCode = pending.exceptionErrorCode ?? 0
    acknowledged = pending.interruptIsSoft ? nil : pending.interrupt
    startupVector.store(pending.startupVector, ordering: .relaxed)
    cpu.pointee.request = .none
    noteLocalAPIC()
    raise(Attention.memory)
  }

  /// Delivers what another engine had begun to deliver when its state was saved, before anything else is executed.
  private func deliverWhatWasUnderWay() -> Bool {
    if lacksPageDirectoryPointers {
      lacksPageDirectoryPointers = false
      cpu.pointee.pageDirectoryPointers = cpu.readPageDirectoryPointers(from: cpu.pointee.cr3)
    }
    if cpu.pointee.exceptionVector != 0xFF, !cpu.deliverException() { return false }
    guard let vector = acknowledged else { return true }
    acknowledged = nil
    activity = .running
    return cpu.deliverInterrupt(vector, source: .external)
  }

  /// Sends an exception or interrupt that is about to be delivered, with the registers.
  func trace(_ vector: UInt8, _ errorCode: UInt32?) {
    let code = errorCode.map { " error code \(hex($0))" } ?? ""
    interruptTrace("CPU \(index) vector \(hex(vector))\(code)\n\(registers().registerText)")
  }

  // MARK: Reset and INIT (SDM volume 3, table 10-1)

  private func powerOn() {
    initialize()
    cpu.pointee.fcw = 0x40
    cpu.pointee.fsw = 0
    cpu.pointee.top = 0
    cpu.pointee.x87Valid = 0xFF
    cpu.pointee.mxcsr = 0x1F80
    vectors.initializeMemory(as: UInt8.self, repeating: 0, count: 256 + 128)
    cpu.pointee.msrs = ModelSpecificRegisters()
    cpu.pointee.msrs.tscOffset = 0 &- machineTimeStamp
    cpu.pointee.cr0 = 0x6000_0010
    cpu.pointee.xcr0 = 1
    activity = index == 0 ? .running : .waitingForInit
    attention.pointee.bitwiseAnd(Attention.memory | Attention.kick, ordering: .sequentiallyConsistent)
    cpu.flushTranslations()
    noteLocalAPIC()
  }

  /// What INIT# does: all but the caches, x87, SSE and MSRs.
  private func initialize() {
    for register in 0..<16 as Range<UInt8> { cpu.set(register * 8, 0 as UInt64) }
    cpu.rdx = UInt64(cpuid.signature)
    cpu.arithmeticFlags = 0
    cpu.pointee.systemFlags = 2
    cpu.pointee.rip = 0xFFF0
    for number in 0..<6 { cpu.pointee.segments[number] = .real(0) }
    cpu.pointee.segments[1] = SegmentRegister(
      selector: 0xF000, attributes: 0x9B, limit: 0xFFFF, base: 0xFFFF_0000)
    cpu.pointee.ldtr = SegmentRegister(selector: 0, attributes: 0x82, limit: 0xFFFF, base: 0)
    cpu.pointee.tr = SegmentRegister(selector: 0, attributes: 0x8B, limit: 0xFFFF, base: 0)
    (cpu.pointee.gdtBase, cpu.pointee.gdtLimit) = (0, 0xFFFF)
    (cpu.pointee.idtBase, cpu.pointee.idtLimit) = (0, 0xFFFF)
    cpu.pointee.cr0 = cpu.pointee.cr0 & 0x6000_0000 | 0x10
    (cpu.pointee.cr2, cpu.pointee.cr3, cpu.pointee.cr4, cpu.pointee.efer) = (0, 0, 0, 0)
    for number in 0..<4 { cpu.pointee.debug[number] = 0 }
    cpu.pointee.debug[4] = 0xFFFF_0FF0
    cpu.pointee.debug[5] = 0x400
    cpu.pointee.cpl = 0
    cpu.pointee.interruptShadow = false
    cpu.pointee.nmiMasked = false
    isNMIHeld = false
    cpu.pointee.exceptionVector = 0xFF
    cpu.pointee.request = .none
    cpu.updateChecks()
    cpu.updateMode()
    cpu.flushTranslations()
    // The bootstrap processor starts at the reset vector, the others wait for a start-up IPI.
    activity = index == 0 ? .running : .waitingForStartup
  }

  // MARK: The local APIC, time

  /// Whether a physical address is on the page of the local APIC's registers.
  @inline(__always)
  func isLocalAPIC(_ physical: UInt64) -> Bool { physical & ~0xFFF == localAPICPage }

  private func noteLocalAPIC() { localAPICPage = localAPIC.registerPage ?? ~0 }

  var isLocalAPICEnabled: Bool { localAPIC.isEnabled }

  func readLocalAPIC(msr number: UInt32) -> UInt64? { bus.lock.withLock { localAPIC.readMSR(number) } }

  func writeLocalAPIC(msr number: UInt32, _ value: UInt64) -> Bool {
    let isDone = bus.lock.withLock { localAPIC.writeMSR(number, value) }
    if number == MSR.apicBase {
      noteLocalAPIC()
      cpu.flushTranslations()
    }
    return isDone
  }

  /// The guest has set its time stamp counter.
  func timeStampChanged() { bus.lock.withLock { localAPIC.timeStampChanged() } }

  /// CR8.
  var taskPriority: UInt64 {
    get { bus.lock.withLock { UInt64(localAPIC.taskPriority) } }
    set { bus.lock.withLock { localAPIC.taskPriority = UInt8(truncatingIfNeeded: newValue) } }
  }

  /// The machine's time stamp counter: guest time in nanoseconds.
  var machineTimeStamp: UInt64 {
    tellClock()
    return clock.now
  }

  func randomNumber() -> UInt64 {
    guard instructionClock != nil else { return randomState.next() }
    // SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    repeatableState &+= 0x9E37_79B9_7F4A_7C15
    var value = repeatableState
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  // MARK: Devices

  func readPort(_ port: UInt16, _ count: Int) -> UInt64 {
    withDevices { bus.ports.read(port, AccessWidth(fitting: count)) }
  }

  func writePort(_ port: UInt16, _ value: UInt64, _ count: Int) {
    withDevices { bus.ports.write(port, value, AccessWidth(fitting: count)) }
  }

  func readDevice(_ physical: UInt64, _ width: AccessWidth) -> UInt64 {
    withDevices {
      if isLocalAPIC(physical) {
        return UInt64(localAPIC.readRegister(Int(physical & 0xFF0))) >> ((physical & 3) * 8) & width.allOnes
      }
      return bus.memory.read(GuestAddress(physical), width)
    }
  }

  func writeDevice(_ physical: UInt64, _ value: UInt64, _ width: AccessWidth) {
    withDevices {
      if isLocalAPIC(physical) {
        // Only aligned 32-bit writes are defined (SDM volume 3, section 10.4.1).
        if width >= .dword, physical & 15 == 0 {
          localAPIC.writeRegister(Int(physical & 0xFF0), UInt32(truncatingIfNeeded: value))
        }
        return
      }
      bus.memory.write(GuestAddress(physical), value, width)
    }
  }

  /// Runs `body` with the machine's lock; a change of the memory map on the way takes effect at once.
  @inline(__always)
  private func withDevices<Result>(_ body: () -> Result) -> Result {
    // Devices compute with a rounding mode of their own, and their flags are nothing to the guest.
    cpu.deactivateSIMD()
    defer { cpu.activateSIMD() }
    bus.lock.lock()
    tellClock()
    machine.isInDeviceAccess = true
    let result = body()
    machine.settle?()
    machine.isInDeviceAccess = false
    bus.lock.unlock()
    return result
  }
}

extension SoftVirtualCPU: InterruptibleProcessor {
  func interruptRequestChanged(isRaised: Bool) {
    isInterruptRequested.store(isRaised, ordering: .sequentiallyConsistent)
    if isRaised { raise(Attention.interrupt) }
  }

  func deliverNMI() { raise(Attention.nonMaskable) }
  func deliverINIT() { raise(Attention.initialize) }

  func deliverStartup(vector: UInt8) {
    startupVector.store(vector, ordering: .relaxed)
    raise(Attention.startup)
  }

  var timeStamp: UInt64 { machineTimeStamp &+ cpu.pointee.msrs.tscOffset }
}
