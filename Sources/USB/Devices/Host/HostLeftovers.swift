// SPDX-License-Identifier: GPL-2.0-or-later

/// Data that came from a device of the host for transfers that were taken back meanwhile. It is not lost: what asks the
/// endpoint next gets it. No more than was asked for is here.
struct HostLeftovers {
  private var pieces: [USBEndpointAddress: [ArraySlice<UInt8>]] = [:]

  mutating func add(_ bytes: UnsafeRawBufferPointer, from endpoint: USBEndpointAddress) {
    guard !bytes.isEmpty else { return }
    pieces[endpoint, default: []].append(ArraySlice(bytes))
  }

  /// Gives a transfer what its endpoint has, of one of the host's transfers at most.
  /// - Returns: false if there is nothing.
  mutating func serve(_ transfer: USBTransfer) -> Bool {
    guard !pieces.isEmpty, let piece = pieces[transfer.address]?.first else { return false }
    let count = min(piece.count, transfer.byteCount)
    piece.prefix(count).withUnsafeBytes { _ = transfer.write($0) }
    if count < piece.count {
      pieces[transfer.address]?[0] = piece.dropFirst(count)
    } else {
      forgetFirst(of: transfer.address)
    }
    return true
  }

  private mutating func forgetFirst(of endpoint: USBEndpointAddress) {
    pieces[endpoint]?.removeFirst()
    if pieces[endpoint]?.isEmpty == true { pieces[endpoint] = nil }
  }

  mutating func forget(_ endpoint: USBEndpointAddress) { pieces[endpoint] = nil }
  mutating func forgetAll() { pieces = [:] }
}
