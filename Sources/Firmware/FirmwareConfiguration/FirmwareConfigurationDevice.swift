// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// The firmware configuration device (fw_cfg): what the firmware and the guest may read about the machine, as numbered
/// items and named files, by ports or by DMA (QEMU's docs/specs/fw_cfg).
public final class FirmwareConfigurationDevice: RegisterFile, Device {
  /// The windows: selector and data at 0x510, the DMA address at 0x514.
  public enum Window {
    case ports
    case dma
  }

  /// What an item holds: bytes, or bytes made when the guest first selects it after a reset.
  private final class Item {
    var bytes: [UInt8]
    let make: (() -> [UInt8])?
    init(_ bytes: [UInt8], make: (() -> [UInt8])? = nil) {
      self.bytes = bytes
      self.make = make
    }
  }

  public let deviceName = "fw_cfg"
  /// Traces selections and DMA.
  public let trace = TraceCategory("fw_cfg")
  public var traceCategories: [TraceCategory] { [trace] }

  private let memory: GuestMemory
  private var items: [UInt16: Item] = [:]
  private var files: [(name: String, selector: UInt16)] = []
  private var selected: Item?
  private var selector: UInt16 = 0
  private var offset = 0
  private var dmaAddress: UInt64 = 0

  private static let longestName = 55

  /// A device with its signature and nothing else in it.
  public init(memory: GuestMemory) {
    self.memory = memory
    set(FirmwareConfigurationItem.signature, Array("QEMU".utf8))
    // Bit 0: the traditional interface; bit 1: DMA.
    set(FirmwareConfigurationItem.identifier, UInt32(3))
    updateDirectory()
  }

  /// Maps its ports.
  public func map(in ports: PortSpace) {
    ports.map(
      RegisterWindow(self, .ports, name: "fw_cfg", count: 2, widest: .word),
      at: FirmwareConfigurationPort.selector)
    ports.map(
      RegisterWindow(self, .dma, name: "fw_cfg-dma", count: 8, narrowest: .byte, widest: .dword),
      at: FirmwareConfigurationPort.dma)
  }

  // MARK: Contents

  /// Sets a numbered item to bytes.
  public func set(_ item: UInt16, _ bytes: [UInt8]) { items[item] = Item(bytes) }

  /// Sets a numbered item to a little-endian number.
  public func set<Value: FixedWidthInteger>(_ item: UInt16, _ value: Value) {
    set(item, withUnsafeBytes(of: value.littleEndian) { Array($0) })
  }

  /// Adds a file, or replaces it. Names longer than 55 bytes are cut.
  public func setFile(_ name: String, _ bytes: [UInt8]) { setFile(name, Item(bytes)) }

  /// Adds a file whose contents are made when the guest first selects any such file after a reset.
  public func setFile(_ name: String, make: @escaping () -> [UInt8]) {
    setFile(name, Item(make(), make: make))
  }

  private func setFile(_ name: String, _ item: Item) {
    let name = String(decoding: Array(name.utf8.prefix(Self.longestName)), as: UTF8.self)
    if let known = files.first(where: { $0.name == name }) {
      items[known.selector] = item
    } else {
      let selector = FirmwareConfigurationItem.firstFile + UInt16(truncatingIfNeeded: files.count)
      files.append((name, selector))
      items[selector] = item
    }
    updateDirectory()
  }

  /// The names of the files.
  public var fileNames: [String] { files.map(\.name) }

  /// The directory: a big-endian count, and for each file its size, selector, and name of 56 bytes.
  private func updateDirectory() {
    func bigEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    var bytes = bigEndian(UInt32(truncatingIfNeeded: files.count))
    for (name, selector) in files.sorted(by: { $0.name < $1.name }) {
      let size = items[selector]?.bytes.count ?? 0
      let text = Array(name.utf8)
      bytes += bigEndian(UInt32(truncatingIfNeeded: size)) + bigEndian(selector) + [0, 0]
      bytes += text + Array(repeating: 0, count: Self.longestName + 1 - text.count)
    }
    set(FirmwareConfigurationItem.fileDirectory, bytes)
  }

  /// Makes the items anew that depend on what the firmware has programmed by now.
  private func select(_ number: UInt16) {
    trace("select \(hex(number))")
    selector = number
    offset = 0
    // Bit 14 asked for writing, which no item here takes.
    selected = items[number & ~0x4000]
    if let make = selected?.make { selected?.bytes = make() }
  }

  // MARK: Registers

  public func read(_ window: Window, offset register: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .ports:
      // The data port is one byte wide; the selector reads as nothing.
      return register == 1 ? UInt64(nextByte()) : 0
    case .dma:
      // "QEMU CFG", big-endian, says that DMA is there.
      let signature: UInt64 = 0x5145_4D55_2043_4647
      return signature.byteSwapped >> UInt64(register * 8)
    }
  }

  private func nextByte() -> UInt8 {
    guard let bytes = selected?.bytes, offset < bytes.count else { return 0 }
    defer { offset += 1 }
    return bytes[offset]
  }

  public func write(_ window: Window, offset register: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .ports:
      if register == 0 { select(UInt16(truncatingIfNeeded: value)) }
    case .dma:
      // Two big-endian halves; the low one starts the command.
      guard width == .dword else { return }
      let half = UInt64(UInt32(truncatingIfNeeded: value).byteSwapped)
      if register == 0 {
        dmaAddress = half << 32
      } else if register == 4 {
        let address = GuestAddress(dmaAddress | half)
        dmaAddress = 0
        runDMA(at: address)
      }
    }
  }

  /// A command: control, length and address, all big-endian; the control word is zeroed when it is done.
  private func runDMA(at command: GuestAddress) {
    guard let control = memory.load(command, as: UInt32.self)?.byteSwapped,
      let length = memory.load(command + 4, as: UInt32.self)?.byteSwapped,
      let address = memory.load(command + 8, as: UInt64.self)?.byteSwapped
    else { return }
    let bits = FirmwareConfigurationDMAControl(rawValue: control)
    trace("dma \(hex(control)) length \(length) address \(hex(address))")
    if bits.contains(.select) { select(UInt16(truncatingIfNeeded: control >> 16)) }
    var isError = false
    if bits.contains(.read) {
      isError = !transfer(to: GuestAddress(address), count: Int(length))
    } else if bits.contains(.write) {
      isError = true
    } else if bits.contains(.skip) {
      offset = min(offset &+ Int(length), selected?.bytes.count ?? 0)
    }
    let result = isError ? FirmwareConfigurationDMAControl.error.rawValue : 0
    memory.store(result.byteSwapped, at: command)
  }

  /// Copies from the item; beyond its end zeroes are read.
  private func transfer(to address: GuestAddress, count: Int) -> Bool {
    let available = max(0, min(count, (selected?.bytes.count ?? 0) - offset))
    var isComplete = true
    if available > 0, let item = selected {
      isComplete = item.bytes.withUnsafeBytes {
        memory.write(address, from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + available)]))
      }
      offset += available
    }
    var done = available
    while isComplete, done < count {
      guard let zeroes = memory.hostBytes(at: address + done, count: count - done, for: .write) else {
        return false
      }
      zeroes.initializeMemory(as: UInt8.self, repeating: 0)
      done += zeroes.count
    }
    return isComplete
  }

  // MARK: Life

  public func reset() {
    selected = nil
    selector = 0
    offset = 0
    dmaAddress = 0
  }

  /// What is selected and how far it was read; the contents are the machine's.
  public struct State: SavedState {
    public static let version = 1
    public var selector: UInt16
    public var offset: Int
    public var dmaAddress: UInt64
  }

  public func save() -> State { State(selector: selector, offset: offset, dmaAddress: dmaAddress) }

  public func restore(_ state: State) throws(RestoreError) {
    select(state.selector)
    offset = min(max(state.offset, 0), selected?.bytes.count ?? 0)
    dmaAddress = state.dmaAddress
  }
}
