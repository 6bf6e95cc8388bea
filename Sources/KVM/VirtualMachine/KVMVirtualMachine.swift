// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU
import Glibc

/// The descriptor of one virtual machine (Linux, Documentation/virt/kvm/api.rst, "VM ioctls").
public final class KVMVirtualMachine: Sendable {
  let system: KVMSystem
  let descriptor: Int32

  /// A machine with nothing in it.
  init(system: KVMSystem) throws(EngineError) {
    self.system = system
    var fd: Int32
    repeat { fd = ioctl(system.descriptor, martlet_KVM_CREATE_VM, 0) } while fd < 0 && errno == EINTR
    guard fd >= 0 else { throw EngineError(refused: "make a virtual machine") }
    descriptor = fd
  }

  deinit { close(descriptor) }

  // MARK: What must come before the vCPUs

  /// Tells Intel's KVM where it may keep three pages for its task state segment, and one for an identity
  /// page table: guest addresses that nothing else uses.
  func setReservedPages(identityMap: UInt64, taskState: UInt64) throws(EngineError) {
    var address = identityMap
    try request(descriptor, martlet_KVM_SET_IDENTITY_MAP_ADDR, &address, "place its identity page table")
    // An address above 2 GiB: as an integer argument it would be one with a sign.
    let argument = UnsafeMutableRawPointer(bitPattern: UInt(taskState))
    try request(descriptor, martlet_KVM_SET_TSS_ADDR, argument, "place its task state segment")
  }

  /// Makes the 8259 pair, the IOAPIC, and a local APIC for each vCPU made afterwards.
  func createInterruptControllers() throws(EngineError) {
    try request(descriptor, martlet_KVM_CREATE_IRQCHIP, nil, "make its interrupt controllers")
  }

  /// Makes the 8254. Port 0x61 stays the board's: KVM's own stand-in for it is not asked for.
  func createTimer() throws(EngineError) {
    var configuration = kvm_pit_config()
    try request(descriptor, martlet_KVM_CREATE_PIT2, &configuration, "make its interval timer")
  }

  /// Which vCPU, by APIC ID, is the bootstrap processor.
  func setBootCPU(apicID: UInt32) throws(EngineError) {
    if ioctl(descriptor, martlet_KVM_SET_BOOT_CPU_ID, Int32(bitPattern: apicID)) < 0 {
      throw EngineError(refused: "make CPU \(apicID) the one that boots")
    }
  }

  /// Makes the vCPU with that APIC ID; its descriptor.
  func createVirtualCPU(apicID: UInt32) throws(EngineError) -> Int32 {
    let fd = ioctl(descriptor, martlet_KVM_CREATE_VCPU, Int32(bitPattern: apicID))
    guard fd >= 0 else { throw EngineError(refused: "make the vCPU with APIC ID \(apicID)") }
    return fd
  }

  // MARK: Memory

  /// Puts memory of this process into a slot; a length of 0 empties it.
  /// - Returns: 0, or the `errno`.
  func setMemorySlot(_ slot: UInt32, flags: UInt32, base: UInt64, count: UInt64, host: UInt64) -> Int32 {
    var region = kvm_userspace_memory_region(
      slot: slot, flags: flags, guest_phys_addr: base, memory_size: count, userspace_addr: host)
    return ioctl(descriptor, martlet_KVM_SET_USER_MEMORY_REGION, &region) < 0 ? errno : 0
  }

  /// Fetches and clears the dirty bits of a slot, one a page.
  /// - Returns: whether there was a log.
  func getDirtyLog(slot: UInt32, into bitmap: UnsafeMutablePointer<UInt64>) -> Bool {
    var log = kvm_dirty_log()
    log.slot = slot
    log.dirty_bitmap = UnsafeMutableRawPointer(bitmap)
    return ioctl(descriptor, martlet_KVM_GET_DIRTY_LOG, &log) == 0
  }

  /// Has guest writes to a range of memory addresses or ports queued in the ring, or handed over one by one
  /// again. A refusal costs only speed.
  func setCoalescing(base: UInt64, count: UInt64, isPort: Bool, _ on: Bool) {
    var zone = kvm_coalesced_mmio_zone()
    zone.addr = base
    zone.size = UInt32(clamping: count)
    zone.pio = isPort ? 1 : 0
    _ = ioctl(
      descriptor, on ? martlet_KVM_REGISTER_COALESCED_MMIO : martlet_KVM_UNREGISTER_COALESCED_MMIO, &zone)
  }

  // MARK: Interrupts

  /// Sets the level of a global system interrupt.
  @inline(__always)
  func setInterruptLine(_ number: UInt32, isRaised: Bool) {
    var level = kvm_irq_level()
    level.irq = number
    level.level = isRaised ? 1 : 0
    _ = ioctl(descriptor, martlet_KVM_IRQ_LINE, &level)
  }

  /// Delivers a message-signalled interrupt.
  func signalMessage(address: UInt64, data: UInt32) {
    var message = kvm_msi()
    message.address_lo = UInt32(truncatingIfNeeded: address)
    message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
    message.data = data
    _ = ioctl(descriptor, martlet_KVM_SIGNAL_MSI, &message)
  }

  /// Says where each global system interrupt ends.
  func setInterruptRouting(_ routes: [kvm_irq_routing_entry]) throws(EngineError) {
    let list = VariableLengthList(routes)
    try request(descriptor, martlet_KVM_SET_GSI_ROUTING, list.bytes, "route interrupts")
  }

  // MARK: The chips' states

  /// Reads the state of an interrupt controller.
  func interruptController(_ chip: Int32) throws(EngineError) -> kvm_irqchip {
    var state = kvm_irqchip()
    state.chip_id = UInt32(bitPattern: chip)
    try request(descriptor, martlet_KVM_GET_IRQCHIP, &state, "tell the state of interrupt controller \(chip)")
    return state
  }

  /// Replaces the state of an interrupt controller.
  func setInterruptController(_ state: kvm_irqchip) throws(EngineError) {
    let chip = state.chip_id
    var state = state
    try request(
      descriptor, martlet_KVM_SET_IRQCHIP, &state, "set the state of interrupt controller \(chip)")
  }

  /// The state of the 8254.
  func timer() throws(EngineError) -> kvm_pit_state2 {
    var state = kvm_pit_state2()
    try request(descriptor, martlet_KVM_GET_PIT2, &state, "tell the state of the interval timer")
    return state
  }

  /// Replaces the state of the 8254.
  func setTimer(_ state: kvm_pit_state2) throws(EngineError) {
    var state = state
    try request(descriptor, martlet_KVM_SET_PIT2, &state, "set the state of the interval timer")
  }

  /// The paravirtual clock in nanoseconds; nil if KVM has none.
  func clock() -> UInt64? {
    var data = kvm_clock_data()
    return ioctl(descriptor, martlet_KVM_GET_CLOCK, &data) == 0 ? data.clock : nil
  }

  /// Sets the paravirtual clock. A KVM without one has nothing to set.
  func setClock(_ nanoseconds: UInt64) {
    var data = kvm_clock_data()
    data.clock = nanoseconds
    _ = ioctl(descriptor, martlet_KVM_SET_CLOCK, &data)
  }
}
