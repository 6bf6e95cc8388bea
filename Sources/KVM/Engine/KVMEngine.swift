// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import GuestMemory

/// Runs the guest on the host's processor through Linux's KVM, with the 8259 pair, the IOAPIC, the local
/// APICs and the 8254 in the kernel.
public final class KVMEngine: Engine {
  /// What is not the same for every machine.
  public struct Options: Sendable {
    /// The device file.
    public var devicePath = "/dev/kvm"
    /// The frequency of the guest's time stamp counter in kHz; nil for the host's. Refused if the host's
    /// processor cannot scale it.
    public var tscKHz: Int?
    /// The usual.
    public init() {}
  }

  public var name: String { "kvm" }
  /// Guest addresses KVM needs for itself on some processors (an identity page table, and three pages for a
  /// task state segment): the firmware's memory map says they are reserved, and nothing is put there.
  public static let reservedAddresses: Range<UInt64> = 0xFEFF_C000..<0xFF00_0000
  /// Features asked for that this host does not have, a sentence each; the guest goes without them.
  public let warnings: [String]
  /// The features the guest's processor has, by name.
  public var featureNames: [String] { cpuid.features.names }
  public var processor: ProcessorIdentity { cpuid.processor }
  /// The frequency of the guest's time stamp counter in kHz, once there is a virtual CPU; nil if KVM does
  /// not tell.
  public private(set) var tscKHz: Int?

  private let system: KVMSystem
  private let machine: KVMVirtualMachine
  private let bus: SystemBus
  private let topology: CPUTopology
  private let options: Options
  private let cpuid: CPUIDBuilder
  private let gate = KVMRunGate()
  private let slots: KVMMemorySlots
  private let stateMSRs: KVMStateMSRs
  private let xsaveByteCount: Int
  private let timer: KVMIntervalTimer
  private let powerOnPlatform: PlatformState
  private var virtualCPUs: [Int: KVMVirtualCPU] = [:]
  private var ring: KVMCoalescedRing?
  /// What the paravirtual clock shows while guest time stands still; nil while it goes on, or if KVM has none.
  private var heldClock: UInt64?
  private var isTimeRunning = false

  /// Makes a virtual machine that follows `bus.memory`; the map is put into KVM by
  /// ``prepare()``, or when the guest first runs.
  /// - Throws: An error that says what is missing and what to do about it.
  public init(
    bus: SystemBus, topology: CPUTopology, cpu: CPUModelRequest, options: Options = Options()
  ) throws(EngineError) {
    self.bus = bus
    self.topology = topology
    self.options = options
    system = try KVMSystem(path: options.devicePath)
    try system.require(Self.requiredCapabilities)
    try Self.check(topology, on: system)
    if options.tscKHz != nil, system.value(of: KVM_CAP_TSC_CONTROL) == 0 {
      throw EngineError(
        "this host's processor cannot give the guest a time stamp counter of another frequency; "
          + "leave tsc-frequency out")
    }
    let cpuid = try CPUIDBuilder(
      cpu, topology: topology, supported: CPUIDTable(system.supportedCPUID()),
      hasDeadlineTimer: system.value(of: KVM_CAP_TSC_DEADLINE_TIMER) > 0)
    self.cpuid = cpuid
    warnings = cpuid.warnings
    stateMSRs = try KVMStateMSRs(system: system)
    xsaveByteCount = max(4096, system.value(of: KVM_CAP_XSAVE2))
    try KVMRunControl.installSignalHandler()

    machine = try KVMVirtualMachine(system: system)
    try machine.setReservedPages(
      identityMap: Self.reservedAddresses.lowerBound, taskState: Self.reservedAddresses.lowerBound + 0x1000)
    try machine.createInterruptControllers()
    try machine.setInterruptRouting(KVMInterruptRouting.standard)
    try machine.setBootCPU(apicID: topology.apicID(of: 0))
    slots = KVMMemorySlots(machine: machine, gate: gate)
    timer = KVMIntervalTimer(machine: machine)
    var platform = try machine.interruptControllers()
    platform.pit = KVMIntervalTimer.powerOn
    powerOnPlatform = platform
    // Guest time begins with the first clockStarted().
    heldClock = machine.clock().map { _ in 0 }
    bus.memory.addListener(slots)
  }

  /// What the engine cannot do without; the rest is looked up where it is used.
  private static let requiredCapabilities: [(Int32, String)] = [
    (KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"),
    (KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP (interrupt controllers)"),
    (KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"), (KVM_CAP_PIT2, "KVM_CAP_PIT2 (interval timer)"),
    (KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2"), (KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"),
    (KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR"),
    (KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"),
    (KVM_CAP_SET_BOOT_CPU_ID, "KVM_CAP_SET_BOOT_CPU_ID"), (KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"),
    (KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"), (KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS"),
    (KVM_CAP_XSAVE, "KVM_CAP_XSAVE"), (KVM_CAP_XCRS, "KVM_CAP_XCRS"),
    (KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"), (KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"),
  ]

  private static func check(_ topology: CPUTopology, on system: KVMSystem) throws(EngineError) {
    let limit = max(4, system.value(of: KVM_CAP_NR_VCPUS), system.value(of: KVM_CAP_MAX_VCPUS))
    guard topology.count <= limit else {
      throw EngineError(
        "this host's KVM runs at most \(limit) virtual CPUs, and \(topology.count) were asked for")
    }
    // 255 addresses all of them.
    guard topology.apicID(of: topology.count - 1) < 255 else {
      throw EngineError(
        "\(topology.count) virtual CPUs in this arrangement need local APIC IDs above 254, which a PC of this kind "
          + "cannot address; use fewer CPUs, or numbers of cores and threads that are powers of two")
    }
  }

  // MARK: Models

  /// The CPU models, for `-cpu help`.
  public static var supportedModels: [CPUModel] { CPUModel.all }
  /// The names of all features, for `-cpu help`.
  public static var allFeatureNames: [String] { CPUFeatures.names }

  // MARK: Virtual CPUs

  public func makeVirtualCPU(index: Int) throws(EngineError) -> any VirtualCPU {
    guard index >= 0, index < topology.count, virtualCPUs[index] == nil else {
      throw EngineError("there is no virtual CPU \(index) to make")
    }
    let descriptor = try machine.createVirtualCPU(apicID: topology.apicID(of: index))
    let control = try KVMRunControl(vcpu: descriptor, byteCount: system.runAreaByteCount)
    if ring == nil {
      ring = KVMCoalescedRing(control: control, page: system.value(of: KVM_CAP_COALESCED_MMIO))
    }
    let cpu = try KVMVirtualCPU(
      index: index, descriptor: descriptor, control: control, ring: ring, cpuid: cpuid.entries(forCPU: index),
      signature: cpuid.signature, tscKHz: options.tscKHz,
      surroundings: KVMVirtualCPU.Surroundings(
        machine: machine, bus: bus, gate: gate, slots: slots, stateMSRs: stateMSRs,
        xsaveByteCount: xsaveByteCount))
    gate.add(control)
    virtualCPUs[index] = cpu
    if tscKHz == nil { tscKHz = cpu.tscKHz }
    return cpu
  }

  public func prepare() { slots.activateAhead() }

  // MARK: The platform in KVM

  public func resetPlatform() throws(EngineError) { try restorePlatform(powerOnPlatform) }

  public func savePlatform() throws(EngineError) -> PlatformState {
    var state = try machine.interruptControllers()
    state.pit = try timer.state()
    state.paravirtualClock = heldClock ?? machine.clock()
    return state
  }

  public func restorePlatform(_ state: PlatformState) throws(EngineError) {
    var state = state
    guard state.pit.channels.count == 3 else { throw EngineError.damagedPlatform }
    // KVM's timer pulses its line, and gives no further tick before the last one is acknowledged: a line left high by an
    // engine that shows OUT0 as it is would swallow the first edge, and with it all that follow.
    if !state.pics.isEmpty { state.pics[0].lastIRR &= ~1 }
    try machine.setInterruptControllers(state)
    try timer.setState(state.pit)
    guard let clock = state.paravirtualClock else { return }
    if heldClock != nil { heldClock = clock } else { machine.setClock(clock) }
  }

  /// KVM's 8254 and its paravirtual clock go on by themselves while no vCPU runs: what they showed when time
  /// stopped is put back when it goes on.
  public func clockStarted() throws(EngineError) {
    guard !isTimeRunning else { return }
    try timer.start()
    isTimeRunning = true
    guard let heldClock else { return }
    machine.setClock(heldClock)
    for cpu in virtualCPUs.values { cpu.noteClockStopped() }
    self.heldClock = nil
  }

  public func clockStopped() {
    guard isTimeRunning else { return }
    isTimeRunning = false
    timer.stop()
    heldClock = machine.clock()
  }

  public var speakerGate: any SpeakerGate { timer }
  public var memoryMapListener: any MemoryMapListener { slots }

  // MARK: Interrupts

  public var interruptController: any InterruptSink { self }

  public func sendMessage(address: UInt64, data: UInt32) {
    machine.signalMessage(address: address, data: data)
  }

  // MARK: Queued writes

  public var queuesWrites: Bool { true }

  /// Delivers the guest's writes that wait in the ring: before something looks at what they change without
  /// an access by the guest, such as a display refresh. With the machine's lock held.
  public func drainCoalescedWrites() { ring?.drain(into: bus) }

  /// Has writes to the ports that may take them late queued, from now on. Called once, when the ports are wired; those
  /// that move follow.
  public func coalescePortWrites() {
    guard system.value(of: KVM_CAP_COALESCED_PIO) > 0 else { return }
    for (base, window) in bus.ports.windows { setCoalescing(of: window, at: base, true) }
    bus.ports.onMap = { [unowned self] in setCoalescing(of: $0, at: $1, $2) }
  }

  private func setCoalescing(of window: AddressWindow, at base: UInt16, _ on: Bool) {
    for late in window.lateWrites {
      machine.setCoalescing(
        base: UInt64(base) + late.lowerBound, count: UInt64(late.count), isPort: true, on)
    }
  }
}

extension KVMEngine: InterruptSink {
  public func setInterruptLine(_ number: Int, isRaised: Bool) {
    guard (0..<KVMInterruptRouting.lineCount).contains(number) else { return }
    machine.setInterruptLine(UInt32(number), isRaised: isRaised)
  }
}
