// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice

/// A serial adapter with FTDI's FT232BM: QEMU's `usb-serial`. Speed and format are whatever the guest sets; the host's
/// end has none.
public final class USBSerial: USBDevice, Device, CharacterReceiver {
  public let deviceName: String
  private let character: any CharacterPort
  private var line = Line()

  struct Line: Codable, Equatable, Sendable {
    /// To the guest.
    var received: [UInt8] = []
    /// From the guest, where the host's end has no room.
    var unsent: [UInt8] = []
    /// In milliseconds.
    var latency: UInt8 = 16
    var isConnected = false
    var hasBreak = false
    /// The modem's lines have changed since they were told.
    var hasNews = true

    /// The FT232BM's receive buffer.
    static let receiveCapacity = 384
    /// More from the guest has to wait.
    static let sendCapacity = 4096
    /// The largest packet.
    static let packetByteCount = 64

    var isValid: Bool { received.count <= Self.receiveCapacity && unsent.count <= 1 << 24 }
  }

  /// An adapter that is not plugged in.
  /// - Parameter port: the host's end; the adapter becomes its receiver.
  public init(port: any CharacterPort, name: String = "usb-serial", serial: String? = nil) {
    character = port
    deviceName = name
    super.init(
      USBDescription(
        vendor: 0x0403, product: 0x6001, release: 0x0400,
        strings: ["Martlet", "Martlet USB Serial", serial ?? "1"],
        configurations: [
          .full: USBConfigurationDescription(
            interfaces: [
              USBInterfaceDescription(
                classCode: (0xFF, 0xFF, 0xFF),
                endpoints: [
                  USBEndpointDescription(.in(1), .bulk, maxPacketSize: 64),
                  USBEndpointDescription(.out(2), .bulk, maxPacketSize: 64),
                ])
            ])
        ]))
    port.receiver = self
  }

  // MARK: The host's end

  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard core.configuration != 0 else { return 0 }
    let count = min(bytes.count, Line.receiveCapacity - line.received.count)
    guard count > 0 else { return 0 }
    line.received += bytes[..<count]
    endpointReady(.in(1))
    return count
  }

  public func characterPortBecameWritable() { sendOn() }

  public func receiveBreak() {
    line.hasBreak = true
    tellNews()
  }

  public func characterPortOpened() { setConnected(true) }
  public func characterPortClosed() { setConnected(false) }

  private func setConnected(_ isConnected: Bool) {
    guard line.isConnected != isConnected else { return }
    line.isConnected = isConnected
    tellNews()
  }

  private func tellNews() {
    line.hasNews = true
    endpointReady(.in(1))
  }

  private func sendOn() {
    guard !line.unsent.isEmpty else { return }
    let count = line.unsent.withUnsafeBytes { character.write($0) }
    line.unsent.removeFirst(min(max(count, 0), line.unsent.count))
    if line.unsent.count < Line.sendCapacity { endpointReady(.out(2)) }
  }

  // MARK: The bus

  public override func transfer(_ transfer: USBTransfer) -> USBResult {
    transfer.token == .in ? send(transfer) : take(transfer)
  }

  private var modemStatus: UInt8 {
    FTDIStatus.reserved
      | (line.isConnected ? FTDIStatus.clearToSend | FTDIStatus.dataSetReady | FTDIStatus.carrierDetect : 0)
  }

  /// Each packet begins with the two bytes of status.
  private func send(_ transfer: USBTransfer) -> USBResult {
    guard !line.received.isEmpty || line.hasNews else { return .nak }
    guard transfer.byteCount >= 2 else { return .babble }
    repeat {
      let room = min(transfer.byteCount - transfer.doneCount, Line.packetByteCount)
      guard room >= 2 else { break }
      let status = [
        modemStatus, FTDIStatus.transmitterEmpty | (line.hasBreak ? FTDIStatus.breakInterrupt : 0),
      ]
      (line.hasBreak, line.hasNews) = (false, false)
      let count = min(room - 2, line.received.count)
      (status + line.received[..<count]).withUnsafeBytes { _ = transfer.write($0) }
      line.received.removeFirst(count)
      // A packet that is not full ends the transfer.
      if count + 2 < Line.packetByteCount { break }
    } while transfer.doneCount < transfer.byteCount && !line.received.isEmpty
    character.receiverBecameReady()
    return .success
  }

  private func take(_ transfer: USBTransfer) -> USBResult {
    guard line.unsent.count < Line.sendCapacity else { return .nak }
    var bytes = [UInt8](repeating: 0, count: transfer.byteCount)
    let count = bytes.withUnsafeMutableBytes { transfer.read(into: $0) }
    line.unsent += bytes[..<count]
    sendOn()
    return .success
  }

  public override func control(_ request: USBRequest, data: UnsafeMutableRawBufferPointer) -> USBControlResult
  {
    guard request.kind == .vendor, request.recipient == .device else { return .stall }
    switch request.request {
    case FTDIRequest.reset:
      if request.value == 0 || request.value == 1 {
        line.received = []
        character.receiverBecameReady()
      }
      if request.value == 0 || request.value == 2 { line.unsent = [] }
      return .success(0)
    case FTDIRequest.setModemControl, FTDIRequest.setFlowControl, FTDIRequest.setBaudRate,
      FTDIRequest.setData,
      FTDIRequest.setEventCharacter, FTDIRequest.setErrorCharacter:
      return .success(0)
    case FTDIRequest.getModemStatus:
      guard request.isIn, data.count >= 2 else { return .stall }
      (data[0], data[1]) = (modemStatus, FTDIStatus.transmitterEmpty)
      return .success(2)
    case FTDIRequest.setLatencyTimer:
      line.latency = UInt8(truncatingIfNeeded: request.value)
      return .success(0)
    case FTDIRequest.getLatencyTimer:
      guard request.isIn, !data.isEmpty else { return .stall }
      data[0] = line.latency
      return .success(1)
    default: return .stall
    }
  }

  public override func configurationChanged() {
    line.hasNews = true
    character.receiverBecameReady()
  }

  public override func busReset() {
    let isConnected = line.isConnected
    line = Line()
    line.isConnected = isConnected
  }

  public override func pulledOut() { busReset() }

  // MARK: Life

  public func reset() { resetFromPort() }

  public struct State: SavedState {
    public static let version = 1
    var core: USBDeviceCore
    var line: Line
  }

  public func save() -> State { State(core: saveCore(), line: line) }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.line.isValid else { throw RestoreError("\(deviceName): its saved state is damaged") }
    try restore(core: state.core)
    let isConnected = line.isConnected
    line = state.line
    line.isConnected = isConnected
    sendOn()
    character.receiverBecameReady()
  }
}
