// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus

/// The registers of a device on an IDE channel; each register of two bytes keeps what was written before (ATA/ATAPI-6,
/// section 6.20).
struct TaskFile: Codable, Equatable, Sendable {
  var error: UInt8 = 0
  var features: UInt16 = 0
  var sectorCount: UInt16 = 0
  var lbaLow: UInt16 = 0
  var lbaMid: UInt16 = 0
  var lbaHigh: UInt16 = 0
  var device: UInt8 = 0
}

/// What a device and its channel have between them: the interrupt, DMA.
protocol IDEChannelPort: AnyObject {
  /// The device asserts INTRQ.
  func deviceRaisedInterrupt(_ device: IDEDevice)
  /// The device deasserts INTRQ.
  func deviceLoweredInterrupt(_ device: IDEDevice)
  /// The device wants to transfer by DMA; the channel calls ``IDEDevice/startDMA(_:)`` when the bus master runs.
  func deviceWantsDMA(_ device: IDEDevice)
  /// The bus-master engine.
  var busMaster: BusMaster { get }
}

/// Owns a device's request in its place: a request keeps its owner alive, and the device keeps the request.
private final class CompletionRelay: BlockRequestOwner {
  weak var device: IDEDevice?
  func blockRequestCompleted(_ request: BlockRequest) { device?.blockRequestCompleted(request) }
}

/// A disk or CD-ROM drive on an IDE channel: task file, data port, DMA. Disks and packet devices subclass it.
class IDEDevice {
  /// A transfer by the data port under way.
  struct PIO: Codable, Equatable {
    /// Where the next byte is, and where the block ends, in the buffer.
    var position = 0
    var end = 0
    var isToHost = true
  }

  /// As much as one request moves by the data port or through the buffer.
  static let bufferByteCount = 128 * 512
  /// The most pieces of memory that one request fills or empties; transfers of more go through the buffer.
  private static let segmentCapacity = 1024

  let drive: Drive
  /// 0 master, 1 slave.
  let unit: Int
  unowned let channel: any IDEChannelPort
  let trace: TraceCategory
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: IDEDevice.bufferByteCount, alignment: 4096)
  private let relay = CompletionRelay()
  /// The one request of the device: a command is one request after another.
  private(set) var request: BlockRequest

  var taskFile = TaskFile()
  var status: ATAStatus = []
  var pio = PIO()
  /// A command waits for the bus master.
  var wantsDMA = false
  var isInterruptPending = false
  /// The request under way was started before a reset: its result concerns nobody.
  private var isAbandoned = false
  private var isInRequestDone = false
  private var isDoneAgain = false
  /// A request that was in flight when the state was saved is to be made again.
  var mustReissue = false

  init(drive: Drive, unit: Int, channel: any IDEChannelPort, trace: TraceCategory) {
    self.drive = drive
    self.unit = unit
    self.channel = channel
    self.trace = trace
    request = BlockRequest(owner: relay, segmentCapacity: Self.segmentCapacity)
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    relay.device = self
  }

  deinit { buffer.deallocate() }

  // MARK: What subclasses do

  /// A command was written.
  func execute(_ command: UInt8) {}
  /// The guest has read or written the whole block in the buffer.
  func blockDone() {}
  /// The bus master runs and this device wants it.
  func startDMA() {}
  /// The request is done.
  func requestDone(_ result: BlockResult) {}
  /// The signature after a reset (ATA/ATAPI-6, section 9.12).
  func putSignature() {}
  /// Makes the request again that was in flight when the state was saved.
  func reissue() {}
  /// Gives up what is under way and goes to the state after a reset.
  func abandonTransfer() {}

  // MARK: Interrupt and completion

  func raiseInterrupt() {
    isInterruptPending = true
    channel.deviceRaisedInterrupt(self)
  }

  func lowerInterrupt() {
    guard isInterruptPending else { return }
    isInterruptPending = false
    channel.deviceLoweredInterrupt(self)
  }

  // MARK: Task file

  /// Takes a byte written to the command block; a busy device ignores it. Registers of two bytes keep what they held.
  final func writeRegister(_ offset: Int, _ byte: UInt8) {
    guard !status.contains(.busy) else { return }
    switch offset {
    case CommandBlock.error: taskFile.features = taskFile.features << 8 | UInt16(byte)
    case CommandBlock.sectorCount: taskFile.sectorCount = taskFile.sectorCount << 8 | UInt16(byte)
    case CommandBlock.lbaLow: taskFile.lbaLow = taskFile.lbaLow << 8 | UInt16(byte)
    case CommandBlock.lbaMid: taskFile.lbaMid = taskFile.lbaMid << 8 | UInt16(byte)
    case CommandBlock.lbaHigh: taskFile.lbaHigh = taskFile.lbaHigh << 8 | UInt16(byte)
    default: taskFile.device = byte
    }
  }

  // MARK: Data port

  /// Offers `count` bytes of the buffer to the data port and asks for service.
  func openDataPort(count: Int, isToHost: Bool) {
    pio = PIO(position: 0, end: min(max(count, 0), buffer.count), isToHost: isToHost)
    status.remove(.busy)
    status.remove(.error)
    status.insert(.dataRequest)
    status.insert(.ready)
  }

  /// Whether so many bytes can be moved at once, and in this direction.
  @inline(__always)
  private func isOpen(toHost: Bool, count: Int) -> Bool {
    status.contains(.dataRequest) && !status.contains(.busy) && pio.isToHost == toHost
      && pio.position + count <= pio.end
  }

  /// Reads the data port.
  @inline(__always)
  final func readData(_ width: AccessWidth) -> UInt64 {
    guard isOpen(toHost: true, count: width.count) else { return readTail(width) }
    let value: UInt64
    switch width {
    case .dword:
      value = UInt64(
        UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: pio.position, as: UInt32.self)))
    case .word:
      value = UInt64(
        UInt16(littleEndian: buffer.loadUnaligned(fromByteOffset: pio.position, as: UInt16.self)))
    default: value = UInt64(buffer[pio.position])
    }
    pio.position += width.count
    if pio.position == pio.end { blockDone() }
    return value
  }

  /// An access wider than what is left of the block gets the rest, and zeroes.
  @inline(never)
  private func readTail(_ width: AccessWidth) -> UInt64 {
    guard isOpen(toHost: true, count: 1) else { return 0 }
    var value: UInt64 = 0
    for shift in 0..<UInt64(pio.end - pio.position) {
      value |= UInt64(buffer[pio.position]) << (shift * 8)
      pio.position += 1
    }
    blockDone()
    return value
  }

  /// Writes the data port.
  @inline(__always)
  final func writeData(_ value: UInt64, _ width: AccessWidth) {
    guard isOpen(toHost: false, count: width.count) else { return writeTail(value) }
    switch width {
    case .dword:
      buffer.storeBytes(
        of: UInt32(truncatingIfNeeded: value).littleEndian, toByteOffset: pio.position, as: UInt32.self)
    case .word:
      buffer.storeBytes(
        of: UInt16(truncatingIfNeeded: value).littleEndian, toByteOffset: pio.position, as: UInt16.self)
    default: buffer[pio.position] = UInt8(truncatingIfNeeded: value)
    }
    pio.position += width.count
    if pio.position == pio.end { blockDone() }
  }

  /// Of an access wider than what is left of the block only that much is taken.
  @inline(never)
  private func writeTail(_ value: UInt64) {
    guard isOpen(toHost: false, count: 1) else { return }
    for shift in 0..<UInt64(pio.end - pio.position) {
      buffer[pio.position] = UInt8(truncatingIfNeeded: value >> (shift * 8))
      pio.position += 1
    }
    blockDone()
  }

  // MARK: Requests

  /// Starts the request, whose fields the caller has set. The device is busy until it is done.
  func submit(_ operation: BlockOperation, offset: UInt64) {
    status.insert(.busy)
    status.remove(.dataRequest)
    request.operation = operation
    request.offset = offset
    isAbandoned = false
    drive.submit(request)
  }

  /// Starts a request between the medium and the first `count` bytes of the buffer.
  func submitBuffer(_ operation: BlockOperation, offset: UInt64, count: Int) {
    request.removeSegments()
    _ = request.append(UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(count, buffer.count)]))
    submit(operation, offset: offset)
  }

  /// A request that is started from ``requestDone(_:)`` may be done before that returns: it is then taken up here, in a
  /// loop, so that a transfer of any length needs no deeper a stack.
  fileprivate func blockRequestCompleted(_ request: BlockRequest) {
    guard request === self.request, !isAbandoned else { return }
    isDoneAgain = isInRequestDone
    guard !isInRequestDone else { return }
    isInRequestDone = true
    repeat {
      isDoneAgain = false
      requestDone(request.result)
    } while isDoneAgain
    isInRequestDone = false
  }

  /// Takes back the request under way; what it still does concerns nobody, and no memory is touched afterwards.
  final func abandonRequest() {
    guard request.isInFlight else { return }
    isAbandoned = true
    drive.cancel(request)
    // What the host has begun cannot be taken back: it is waited for.
    if request.isInFlight { drive.medium?.drain() }
    // It may have failed meanwhile, and policy holds it to be tried again.
    if request.isInFlight { drive.cancel(request) }
    isAbandoned = false
    guard request.isInFlight else { return }
    // A back end that keeps a request all the same may end it whenever it likes: that one is not used again.
    request = BlockRequest(owner: relay, segmentCapacity: Self.segmentCapacity)
  }

  /// The bus master is stopped in the middle of a transfer, which is let come to its end first: half a transfer would
  /// reach the medium otherwise. If policy holds it, it is given up, and the device keeps waiting until it is reset.
  func busMasterStopped() {
    guard isTransferringByDMA else { return }
    drive.medium?.drain()
    guard isTransferringByDMA else { return }
    abandonRequest()
    status.remove(.busy)
    status.insert(.dataRequest)
  }

  /// The device wants the bus master, which may not use the bus: a read may end all the same.
  /// - Returns: whether it did.
  func readWithoutBusMaster() -> Bool { false }

  /// Whether the request under way moves data by the bus master.
  var isTransferringByDMA: Bool { false }

  /// A new command ends a data phase that nobody finished: the data port and the bus master no longer serve it.
  final func dropDataPhase() {
    wantsDMA = false
    pio = PIO()
    status.remove(.dataRequest)
  }

  // MARK: Reset

  /// The bus is reset or the power comes on: what a software reset leaves alone goes back to its default too.
  func resetHardware() { resetDevice() }

  /// SRST, a hardware reset, or DEVICE RESET: what is under way is given up.
  func resetDevice() {
    abandonRequest()
    abandonTransfer()
    wantsDMA = false
    mustReissue = false
    pio = PIO()
    lowerInterrupt()
    taskFile = TaskFile()
    taskFile.error = 1
    putSignature()
  }
}
