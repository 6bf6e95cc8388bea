// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// A file or item that fw_cfg cannot take.
public enum FirmwareConfigurationError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Empty, too long, or with bytes that are not printable ASCII.
  case badName(String)
  /// The name is taken.
  case duplicate(String)
  /// The directory is full.
  case tooManyFiles(String)
  /// More than 4 GiB.
  case tooLarge(String)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .badName(let name):
      "fw_cfg: '\(name)' cannot be the name of a file: 1 to \(FirmwareConfigurationLimit.nameByteCount)"
        + " printable ASCII characters are possible"
    case .duplicate(let name): "fw_cfg: there is a file '\(name)' already"
    case .tooManyFiles(let name):
      "fw_cfg: no room for '\(name)': there are \(FirmwareConfigurationLimit.fileCount) files already"
    case .tooLarge(let name): "fw_cfg: '\(name)' is 4 GiB or more"
    }
  }
}

/// QEMU's firmware configuration device, fw_cfg: how firmware learns about the machine, and gets tables and
/// files, through a selector, a data port and DMA.
///
/// Source: QEMU, docs/specs/fw_cfg. Everything is read-only to the guest.
public final class FirmwareConfigurationDevice: Device, RegisterFile {
  /// The two groups of ports.
  public enum Window {
    /// Selector and data.
    case ports
    /// The DMA address.
    case dma
  }

  public let deviceName = "fw_cfg"
  public var traceCategories: [TraceCategory] { [trace] }

  private let memory: GuestMemory
  private let trace = TraceCategory("fw_cfg")
  private var items: [UInt16: FirmwareItem] = [:]
  private var files: [FirmwareItem] = []
  private var computations: [FirmwareComputation] = []

  private var selector: UInt16 = 0
  private var offset = 0
  private var dmaAddressHigh: UInt32 = 0
  /// The contents of the selected item, nil if there is none; as bare pointers so that reading a byte costs
  /// no reference counting. `selected` keeps them alive.
  private var selectedBytes: UnsafeRawBufferPointer?
  private var selected: FirmwareBlob?

  /// A device with the items that describe itself; its DMA goes to `memory`.
  public init(memory: GuestMemory) {
    self.memory = memory
    set(.signature, Array("QEMU".utf8))
    set(.id, littleEndian: UInt32(3))
    updateDirectory()
    reset()
  }

  /// Puts the windows at their places.
  public func map(in ports: PortSpace) {
    ports.map(
      RegisterWindow(self, .ports, name: "fw_cfg", count: 2, widest: .word),
      at: FirmwareConfigurationPort.selector)
    ports.map(
      RegisterWindow(self, .dma, name: "fw_cfg-dma", count: 8, widest: .dword),
      at: FirmwareConfigurationPort.dma)
  }

  // MARK: What is in it

  /// Gives the item `selector` its contents.
  public func set(_ selector: FirmwareSelector, _ blob: FirmwareBlob) {
    items[selector.rawValue] = FirmwareItem(name: nil, blob: blob)
  }

  /// Gives the item `selector` its contents.
  public func set(_ selector: FirmwareSelector, _ bytes: [UInt8]) { set(selector, FirmwareBlob(bytes)) }

  /// Gives the item `selector` a number, little-endian, as the format wants it.
  public func set(_ selector: FirmwareSelector, littleEndian value: some FixedWidthInteger) {
    set(selector, withUnsafeBytes(of: value.littleEndian) { Array($0) })
  }

  /// Adds a file with fixed contents.
  public func addFile(_ name: String, _ blob: FirmwareBlob) throws(FirmwareConfigurationError) {
    try add([FirmwareItem(name: name, blob: blob)])
  }

  /// Adds a file with fixed contents.
  public func addFile(_ name: String, _ bytes: [UInt8]) throws(FirmwareConfigurationError) {
    try addFile(name, FirmwareBlob(bytes))
  }

  /// Adds files whose contents are computed together when firmware first selects one of them after a reset.
  /// `compute` returns the contents in the order of `names`; it is also called once now, and the sizes it
  /// returns then are kept.
  public func addFiles(_ names: [String], computedBy compute: @escaping () -> [[UInt8]])
    throws(FirmwareConfigurationError)
  {
    let computation = FirmwareComputation(names: names, compute: compute)
    try add(computation.items)
    computations.append(computation)
  }

  /// The names of the files, sorted.
  public var fileNames: [String] { files.compactMap(\.name) }

  private func add(_ new: [FirmwareItem]) throws(FirmwareConfigurationError) {
    for item in new {
      let name = item.name ?? ""
      guard !name.isEmpty, name.utf8.count <= FirmwareConfigurationLimit.nameByteCount,
        name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { throw .badName(name) }
      guard !files.contains(where: { $0.name == name }) else { throw .duplicate(name) }
      guard item.blob.count < 1 << 32 else { throw .tooLarge(name) }
    }
    guard files.count + new.count <= FirmwareConfigurationLimit.fileCount else {
      throw .tooManyFiles(new.first?.name ?? "")
    }
    files += new
    files.sort { ($0.name ?? "").utf8.lexicographicallyPrecedes(($1.name ?? "").utf8) }
    updateDirectory()
  }

  /// Numbers the files in the order of their names and lists them.
  private func updateDirectory() {
    var directory = bigEndian(UInt32(files.count))
    for (index, file) in files.enumerated() {
      let key = FirmwareSelector.firstFile.rawValue + UInt16(index)
      items[key] = file
      let name = Array((file.name ?? "").utf8)
      directory += bigEndian(UInt32(truncatingIfNeeded: file.blob.count)) + bigEndian(key) + [0, 0]
      directory +=
        name + [UInt8](repeating: 0, count: FirmwareConfigurationLimit.nameByteCount + 1 - name.count)
    }
    set(.fileDirectory, directory)
  }

  private func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  // MARK: Registers

  public func read(_ window: Window, offset register: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .ports:
      // Only byte reads are data; the device does not decode others.
      return width == .byte ? UInt64(nextByte()) : 0
    case .dma:
      // Reads as "QEMU CFG", which is how its presence is told.
      let signature: UInt64 = 0x4746_4320_554D_4551
      return signature >> UInt64(register * 8)
    }
  }

  public func write(_ window: Window, offset register: Int, value: UInt64, width: AccessWidth) {
    switch (window, register, width) {
    case (.ports, 0, .word):
      select(UInt16(truncatingIfNeeded: value))
    case (.dma, 0, .dword):
      dmaAddressHigh = UInt32(truncatingIfNeeded: value).byteSwapped
    case (.dma, 4, .dword):
      let address = UInt64(dmaAddressHigh) << 32 | UInt64(UInt32(truncatingIfNeeded: value).byteSwapped)
      dmaAddressHigh = 0
      transfer(GuestAddress(address))
    default:
      break
    }
  }

  private func nextByte() -> UInt8 {
    guard let bytes = selectedBytes, offset < bytes.count else { return 0 }
    defer { offset &+= 1 }
    return bytes[offset]
  }

  private func select(_ key: UInt16) {
    selector = key & ~FirmwareSelector.writeChannelBit
    offset = 0
    let item = items[selector]
    item?.computation?.bringUpToDate()
    take(item)
    trace("select \(hex(key)): \(item.map { "\($0.name ?? "item"), \($0.blob.count) bytes" } ?? "nothing")")
  }

  private func take(_ item: FirmwareItem?) {
    selected = item?.blob
    selectedBytes = selected?.bytes
  }

  // MARK: DMA

  /// Carries out the transfer described at `descriptor`: control, length (32 bits each) and address (64 bits),
  /// all big-endian. The control word is overwritten with 0, or with the error bit.
  private func transfer(_ descriptor: GuestAddress) {
    guard let controlWord = memory.load(descriptor, as: UInt32.self)?.byteSwapped,
      let length = memory.load(descriptor + 4, as: UInt32.self)?.byteSwapped,
      let address = memory.load(descriptor + 8, as: UInt64.self)?.byteSwapped
    else {
      trace("DMA descriptor at \(descriptor) is not in RAM")
      memory.store(FirmwareDMAControl.error.rawValue.byteSwapped, at: descriptor)
      return
    }
    let control = FirmwareDMAControl(rawValue: controlWord)
    if control.contains(.select) { select(UInt16(truncatingIfNeeded: controlWord >> 16)) }
    var succeeded = true
    if control.contains(.read) {
      succeeded = copyOut(count: Int(length), to: GuestAddress(address))
    } else if control.contains(.write) {
      // Nothing here is writable.
      succeeded = length == 0
    } else if control.contains(.skip) {
      offset = min(offset &+ Int(length), selectedBytes?.count ?? 0)
    }
    trace(
      "DMA \(hex(controlWord)), \(length) bytes, \(GuestAddress(address)): \(succeeded ? "done" : "failed")")
    let result: FirmwareDMAControl = succeeded ? [] : .error
    memory.store(result.rawValue.byteSwapped, at: descriptor)
  }

  /// Copies `count` bytes of the selected item, and zeroes beyond its end, to guest memory.
  private func copyOut(count: Int, to address: GuestAddress) -> Bool {
    var available = 0
    if let bytes = selectedBytes, offset < bytes.count {
      available = min(count, bytes.count - offset)
      let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + available)])
      guard memory.write(address, from: part) else { return false }
      offset += available
    }
    let fill = count - available
    guard fill <= FirmwareConfigurationLimit.fillByteCount else { return false }
    return zero(count: fill, at: address + available)
  }

  private func zero(count: Int, at address: GuestAddress) -> Bool {
    var done = 0
    while done < count {
      guard let piece = memory.hostBytes(at: address + done, count: count - done, for: .write) else {
        return false
      }
      piece.initializeMemory(as: UInt8.self, repeating: 0)
      done += piece.count
    }
    return true
  }

  // MARK: Life

  public func reset() {
    for computation in computations { computation.isCurrent = false }
    selector = 0
    offset = 0
    dmaAddressHigh = 0
    take(items[0])
  }

  /// What the guest can notice: the registers, and the computed files as this boot's firmware saw them.
  public struct State: SavedState {
    public static let version = 1
    /// The selected item.
    public var selector: UInt16
    /// Where in it the next read is.
    public var offset: UInt32
    /// The high half of the DMA address.
    public var dmaAddressHigh: UInt32
    /// Computed files by name; only those computed since the last reset.
    public var computedFiles: [String: [UInt8]]
  }

  public func save() -> State {
    var computed: [String: [UInt8]] = [:]
    for computation in computations where computation.isCurrent {
      for item in computation.items { computed[item.name ?? ""] = item.blob.array }
    }
    return State(
      selector: selector, offset: UInt32(truncatingIfNeeded: offset), dmaAddressHigh: dmaAddressHigh,
      computedFiles: computed)
  }

  public func restore(_ state: State) throws(RestoreError) {
    let known = Dictionary(
      computations.flatMap(\.items).map { ($0.name ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    for (name, bytes) in state.computedFiles {
      guard let item = known[name] else { throw RestoreError("fw_cfg: no computed file '\(name)' here") }
      guard bytes.count == item.blob.count else {
        throw RestoreError("fw_cfg: '\(name)' has \(bytes.count) bytes in the state, \(item.blob.count) here")
      }
    }
    for computation in computations {
      computation.isCurrent = computation.items.allSatisfy { state.computedFiles[$0.name ?? ""] != nil }
      for item in computation.items {
        if let bytes = state.computedFiles[item.name ?? ""] { item.replace(FirmwareBlob(bytes)) }
      }
    }
    selector = state.selector & ~FirmwareSelector.writeChannelBit
    dmaAddressHigh = state.dmaAddressHigh
    take(items[selector])
    offset = min(Int(state.offset), selected?.count ?? 0)
  }
}
