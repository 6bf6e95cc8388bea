// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Network
import PCI

/// An NE2000 for PCI, Realtek's RTL8029AS: QEMU's `ne2k_pci`, PCI 10EC:8029.
public final class NE2000PCI: PCIFunction, RegisterFile, Device, PacketReceiver {
  public let deviceName: String
  private let trace = TraceCategory("ne2k_pci")
  public var traceCategories: [TraceCategory] { [trace] }
  private let port: any PacketPort
  private let clock: Clock
  private let promAddress: MACAddress
  private let memory: NE2000Memory
  /// Has the engine deliver the writes that it queues; nil if it queues none.
  public var deliverLateWrites: (() -> Void)? {
    get { lateData.deliver }
    set { lateData.deliver = newValue }
  }
  /// For a driver that waits for the remote DMA's interrupt, and does nothing else.
  private lazy var lateData: LateWriteWatch = LateWriteWatch(clock: clock) { [unowned self] in
    lookForData()
  }
  private lazy var chip = DP8390(memory: memory, port: port) { [unowned self] in setInterrupt($0) }

  private enum Port {
    /// The remote DMA port is at 0x10 … 0x17, reset at 0x18 … 0x1F (RTL8029AS data sheet, section 5.1).
    static let data = 0x10
    static let reset = 0x18
    static let end = 0x20
    static let count: UInt64 = 256
    /// What the guest may write without the card seeing it at once: the remote DMA's address and count (on page 1, half of
    /// MAR), and its data. The command before and the status read after come in order.
    static let lateWrites: [Range<UInt64>] = [0x08..<0x0C, 0x10..<0x18]
  }

  /// The card.
  /// - Parameters:
  ///   - name: its name on the board.
  ///   - port: the socket; the card becomes its receiver.
  ///   - address: what its PROM says of its address.
  ///   - clock: by which it looks for writes that an engine queues.
  ///   - optionROM: a region of a power of two of bytes, or nil.
  public init(
    name: String = "ne2k_pci", port: any PacketPort, address: MACAddress, clock: Clock,
    optionROM: MemoryRegion?
  ) {
    deviceName = name
    self.port = port
    self.clock = clock
    promAddress = address
    memory = NE2000Memory(address: address)
    super.init(
      name: name, identity: PCIIdentity(vendor: 0x10EC, device: 0x8029, classCode: 0x020000),
      interruptPin: 1)
    addPortBAR(
      0,
      window: RegisterWindow(
        self, (), name: name, count: Port.count, widest: .dword, lateWrites: Port.lateWrites))
    if let optionROM { addROM(region: optionROM) }
    port.receiver = self
    chip.powerOn()
  }

  // MARK: Registers

  public func read(_ window: Void, offset: Int, width: AccessWidth) -> UInt64 {
    switch offset {
    case Port.data..<Port.reset: return UInt64(chip.readData(width))
    case Port.reset..<Port.end:
      trace("reset")
      chip.hardReset()
      return 0
    default:
      // The registers are bytes; a wide access sees several.
      var value: UInt64 = 0
      for index in 0..<width.count {
        let byte = offset &+ index < Port.data ? chip.read(offset &+ index) : 0xFF
        value |= UInt64(byte) << UInt64(index * 8)
      }
      return value
    }
  }

  public func write(_ window: Void, offset: Int, value: UInt64, width: AccessWidth) {
    switch offset {
    case Port.data..<Port.reset: chip.writeData(UInt32(truncatingIfNeeded: value), width)
    case 0..<Port.data:
      for index in 0..<width.count where offset &+ index < Port.data {
        chip.write(offset &+ index, UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
      }
      if chip.owesRemoteDone { lateData.wait() }
    // The reset ends with the write, and has no length here.
    default: break
    }
  }

  private func lookForData() {
    if chip.owesRemoteDone { lateData.wait() } else { lateData.end() }
  }

  // MARK: The cable

  public func receive(_ frame: UnsafeRawBufferPointer) -> Bool { chip.receive(frame) }
  public func packetPortBecameReady() { chip.transmit() }
  public func linkChanged() { chip.transmit() }

  /// The filter; before a driver has set the address, that of the PROM.
  public var receiveFilter: ReceiveFilter {
    var filter = chip.receiveFilter
    if filter.address.bits == 0 { filter.address = promAddress }
    return filter
  }

  // MARK: Life

  public func reset() {
    chip.powerOn()
    resetConfiguration()
  }

  public func pause() { chip.pause() }
  public func run() { chip.run() }

  /// Configuration space, the chip and its memory.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var chip: DP8390.State
  }

  public func save() -> State { State(configuration: saveConfiguration(), chip: chip.save()) }

  public func restore(_ state: State) throws(RestoreError) {
    try restoreConfiguration(state.configuration)
    try chip.restore(state.chip)
  }
}
