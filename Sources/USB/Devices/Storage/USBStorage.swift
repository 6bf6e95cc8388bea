// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import SCSI

/// A disk or a CD-ROM drive on the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0): QEMU's `usb-storage`.
///
/// Commands come by endpoint 2, data by 2 or 1, the status by 1. Where the drive has less data than the host asked for,
/// zeroes follow (section 6.7.2); where the host sends more than the drive takes, the rest is thrown away. The status
/// tells the difference.
public final class USBStorage: USBDevice, Device, DriveMediumObserver {
  public let deviceName: String
  let unit: any SCSIUnit
  var transport = StorageTransport()
  /// Data on its way: what was read ahead, or what is gathered for the next write.
  let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: StorageTransport.bufferByteCount, alignment: 4096)
  /// What the buffer holds of the medium, in bytes of the data stage: from `windowStart`.
  var windowStart: UInt64 = 0
  var windowCount = 0
  /// The drive is at work.
  private(set) var isBusy = false
  private lazy var request = BlockRequest(owner: RequestOwner(self), segmentCapacity: 1)
  private var isAbandoned = false
  /// Transfers are being served: what the drive does at once is taken up there.
  private var isServing = false

  /// One that is not plugged in.
  /// - Parameters:
  ///   - drive: where its blocks are; its serial number is the device's.
  ///   - isRemovable: a disk says that its medium can be taken out.
  public init(drive: Drive, isRemovable: Bool = false, name: String = "usb-storage") {
    deviceName = name
    unit = drive.kind == .cdrom ? SCSICD(drive: drive) : SCSIDisk(drive: drive, isRemovable: isRemovable)
    func configuration(_ maxPacketSize: UInt16, maxBurst: UInt8 = 0) -> USBConfigurationDescription {
      USBConfigurationDescription(
        isSelfPowered: true, maxPower: 0,
        interfaces: [
          USBInterfaceDescription(
            classCode: (8, 6, 0x50),
            endpoints: [
              USBEndpointDescription(.in(1), .bulk, maxPacketSize: maxPacketSize, maxBurst: maxBurst),
              USBEndpointDescription(.out(2), .bulk, maxPacketSize: maxPacketSize, maxBurst: maxBurst),
            ])
        ])
    }
    super.init(
      USBDescription(
        vendor: 0x46F4, product: 0x0001, release: 0x0100,
        strings: ["Martlet", drive.kind == .cdrom ? "Martlet USB CD-ROM" : "Martlet USB Disk", drive.serial],
        configurations: [
          .full: configuration(64), .high: configuration(512), .superSpeed: configuration(1024, maxBurst: 15),
        ]))
    drive.observer = self
  }

  deinit { buffer.deallocate() }

  // MARK: The bus

  public override func transfer(_ transfer: USBTransfer) -> USBResult {
    isServing = true
    defer { isServing = false }
    return transfer.token == .in ? serveIn(transfer) : serveOut(transfer)
  }

  public override func control(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult
  {
    guard request.kind == .class, request.recipient == .interface, request.index == 0 else { return .stall }
    switch request.request {
    case BulkOnlyTransport.reset:
      startAnew()
      return .success(0)
    case BulkOnlyTransport.getMaxLUN:
      guard request.isIn, !data.isEmpty else { return .stall }
      data[0] = 0
      return .success(1)
    default: return .stall
    }
  }

  public override func busReset() { startAnew() }

  public override func pulledOut() {
    startAnew()
    unit.reset()
  }

  private func startAnew() {
    abandonRequest()
    transport = StorageTransport()
    windowCount = 0
  }

  // MARK: The drive

  /// Starts a request of the drive; it may be done when this returns: ``isBusy`` says.
  /// - Parameter count: bytes at the buffer's start, of reads and writes; of the medium, of discards.
  func start(_ operation: BlockOperation, offset: UInt64, count: UInt64) {
    request.operation = operation
    request.offset = offset
    request.byteCount = count
    request.removeSegments()
    if operation == .read || operation == .write {
      _ = request.append(
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(Int(clamping: count), buffer.count)]))
    }
    isBusy = true
    unit.drive.submit(request)
  }

  /// Stands for the device with its request, which would keep it for ever: it goes when it is pulled out.
  private final class RequestOwner: BlockRequestOwner {
    private unowned let storage: USBStorage
    init(_ storage: USBStorage) { self.storage = storage }
    func blockRequestCompleted(_ request: BlockRequest) { storage.requestCompleted() }
  }

  private func requestCompleted() {
    isBusy = false
    guard !isAbandoned else { return }
    requestDone(request.operation, request.result, count: request.segmentByteCount)
    guard !isServing else { return }
    serveWaiting()
  }

  /// The drive has done something: goes on with what waits for it.
  private func serveWaiting() {
    isServing = true
    goOn()
    var done: (USBTransfer, USBResult)?
    for endpoint in [USBEndpointAddress.in(1), .out(2)] {
      guard let transfer = pendingTransfer(of: endpoint) else { continue }
      let result = endpoint.isIn ? serveIn(transfer) : serveOut(transfer)
      if result != .pending {
        done = (transfer, result)
        break
      }
    }
    isServing = false
    if let done { done.0.complete(done.1) }
  }

  /// Takes back the request under way; no memory is touched afterwards.
  private func abandonRequest() {
    guard request.isInFlight else { return }
    isAbandoned = true
    unit.drive.cancel(request)
    // What the host has begun cannot be taken back: it is waited for.
    if request.isInFlight { unit.drive.medium?.drain() }
    isAbandoned = false
    isBusy = false
  }

  public func driveMediumChanged(_ drive: Drive) {
    windowCount = 0
    unit.mediumChanged()
  }

  public func driveResized(_ drive: Drive) { unit.resized() }
  public func driveTrayMoved(_ drive: Drive) { unit.trayMoved() }
  public func driveEjectRequested(_ drive: Drive) { unit.ejectRequested() }

  // MARK: Life

  public func reset() { resetFromPort() }

  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var transport: StorageTransport
    var unit: SCSIUnitState
    /// The reply, or what was gathered and not yet written.
    var bytes: [UInt8]
  }

  public func save() -> State {
    let bytes = transport.source == .reply ? UnsafeRawBufferPointer(unit.reply) : unwritten
    return State(core: saveCore(), transport: transport, unit: unit.save(), bytes: Array(bytes))
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.transport.isValid(byteCount: state.bytes.count) else {
      throw RestoreError("\(deviceName): its saved state is damaged")
    }
    abandonRequest()
    try restore(core: state.core)
    transport = state.transport
    unit.restore(state.unit)
    windowCount = 0
    windowStart = transport.position &- UInt64(state.bytes.count)
    if transport.source == .reply {
      unit.reply.copyBytes(from: state.bytes.prefix(unit.reply.count))
    } else {
      buffer.copyBytes(from: state.bytes)
      windowCount = state.bytes.count
    }
  }

  /// What was gathered of finished transfers and not yet written.
  private var unwritten: UnsafeRawBufferPointer {
    guard transport.stage == .dataOut, transport.position > windowStart else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return UnsafeRawBufferPointer(
      rebasing: buffer[..<min(Int(clamping: transport.position &- windowStart), buffer.count)])
  }
}
