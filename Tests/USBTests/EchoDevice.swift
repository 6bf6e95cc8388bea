// SPDX-License-Identifier: GPL-2.0-or-later

import USB

/// A device for tests of controllers: bytes sent to endpoint 2 come back from it, endpoint 1 reports, endpoint 3 takes
/// its time, endpoint 4 is as 2, but isochronous.
final class EchoDevice: USBDevice {
  /// What endpoint 1 reports next; NAK while there is nothing.
  var reports: [[UInt8]] = []
  /// What was sent to endpoint 2 and not read back.
  private(set) var stored: [UInt8] = []
  /// Halt endpoint 2 at the next transfer.
  var stallsNext = false
  /// Send more than was asked for.
  var babblesNext = false
  private(set) var submitCount = 0
  private(set) var resetCount = 0
  private(set) var cancelCount = 0

  private static func configuration(bulk: UInt16) -> USBConfigurationDescription {
    USBConfigurationDescription(
      wakesRemotely: true,
      interfaces: [
        USBInterfaceDescription(
          classCode: (0xFF, 0, 0),
          endpoints: [
            USBEndpointDescription(.in(1), .interrupt, maxPacketSize: 8, interval: 4),
            USBEndpointDescription(.in(2), .bulk, maxPacketSize: bulk),
            USBEndpointDescription(.out(2), .bulk, maxPacketSize: bulk),
            USBEndpointDescription(.in(3), .bulk, maxPacketSize: bulk),
            USBEndpointDescription(.out(3), .bulk, maxPacketSize: bulk),
            USBEndpointDescription(.in(4), .isochronous, maxPacketSize: bulk, interval: 1),
            USBEndpointDescription(.out(4), .isochronous, maxPacketSize: bulk, interval: 1),
          ])
      ])
  }

  init(speeds: [USBSpeed] = [.full, .high]) {
    var configurations: [USBSpeed: USBConfigurationDescription] = [:]
    for speed in speeds { configurations[speed] = Self.configuration(bulk: speed == .high ? 512 : 64) }
    super.init(
      USBDescription(
        vendor: 0x1234, product: 0x5678, release: 0x0100, strings: ["Martlet", "Echo", "1"],
        configurations: configurations))
  }

  override func transfer(_ transfer: USBTransfer) -> USBResult {
    submitCount += 1
    if babblesNext {
      babblesNext = false
      return .babble
    }
    switch (transfer.endpoint, transfer.token) {
    case (1, .in):
      guard !reports.isEmpty else { return .nak }
      reports.removeFirst().withUnsafeBytes { _ = transfer.write($0) }
      return .success
    case (2, _) where stallsNext:
      stallsNext = false
      return .stall
    case (2, .out), (4, .out):
      stored += take(transfer)
      return .success
    case (2, .in), (4, .in):
      guard !stored.isEmpty else { return transfer.endpoint == 4 ? .success : .nak }
      let piece = Array(stored.prefix(transfer.byteCount))
      stored.removeFirst(piece.count)
      piece.withUnsafeBytes { _ = transfer.write($0) }
      return .success
    default: return .pending
    }
  }

  private func take(_ transfer: USBTransfer) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: transfer.byteCount)
    let count = bytes.withUnsafeMutableBytes { transfer.read(into: $0) }
    return Array(bytes.prefix(count))
  }

  override func cancel(_ transfer: USBTransfer) { cancelCount += 1 }
  override func busReset() { resetCount += 1 }

  /// Reports from endpoint 1.
  func report(_ bytes: [UInt8]) {
    reports.append(bytes)
    endpointReady(.in(1))
  }

  /// Answers endpoint 3's IN transfer, if there is one.
  func answerSlowly(_ bytes: [UInt8]) -> Bool {
    guard let transfer = pendingTransfer(of: .in(3)) else { return false }
    bytes.withUnsafeBytes { _ = transfer.write($0) }
    transfer.complete(.success)
    return true
  }

  /// Takes endpoint 3's OUT transfer, if there is one.
  func acceptSlowly() -> Bool {
    guard let transfer = pendingTransfer(of: .out(3)) else { return false }
    stored += take(transfer)
    transfer.complete(.success)
    return true
  }
}
