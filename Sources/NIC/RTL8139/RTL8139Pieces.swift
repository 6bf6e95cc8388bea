// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import GuestMemory
import Network

/// A frame to be sent, as pieces of guest memory, and the memory a card works in; had once so that frames cost no
/// allocation.
final class RTL8139Pieces {
  /// With a header of its own a frame still fits what ports take.
  static let limit = PacketLimits.mostPieces - 2
  /// The longest headers: Ethernet's, IP's and TCP's.
  static let headerByteCount = 14 + 60 + 60
  /// Room for a VLAN tag in front of a header.
  static let headerRoom = 4
  static let loopbackByteCount = 16384
  private static let zeroByteCount = 4096

  private let pieces = UnsafeMutablePointer<iovec>.allocate(capacity: limit)
  private let output = UnsafeMutablePointer<iovec>.allocate(capacity: PacketLimits.mostPieces)
  private let linear = UnsafeMutablePointer<UInt8>.allocate(capacity: PacketLimits.largestFrame)
  private let zeros = UnsafeMutablePointer<UInt8>.allocate(capacity: zeroByteCount)
  private let headerStorage = UnsafeMutablePointer<UInt8>.allocate(capacity: headerRoom + headerByteCount)
  /// The frame's first bytes as the guest wrote them.
  let template = UnsafeMutablePointer<UInt8>.allocate(capacity: headerByteCount)
  /// A frame that comes back in loopback.
  let loopback = UnsafeMutablePointer<UInt8>.allocate(capacity: loopbackByteCount)

  private(set) var count = 0
  /// The bytes gathered.
  private(set) var byteCount = 0
  /// More than can be sent was to be gathered; the bytes are not all.
  private(set) var isTooLong = false
  private var isLinear = false

  init() {
    pieces.initialize(repeating: iovec(), count: Self.limit)
    output.initialize(repeating: iovec(), count: PacketLimits.mostPieces)
    zeros.initialize(repeating: 0, count: Self.zeroByteCount)
    headerStorage.initialize(repeating: 0, count: Self.headerRoom + Self.headerByteCount)
    template.initialize(repeating: 0, count: Self.headerByteCount)
    // The large ones are written before they are read, and cost nothing until then.
  }

  deinit {
    pieces.deallocate()
    output.deallocate()
    for bytes in [linear, zeros, headerStorage, template, loopback] { bytes.deallocate() }
  }

  /// The header that may be changed, in front of which is room for a tag.
  var header: UnsafeMutablePointer<UInt8> { headerStorage + Self.headerRoom }

  // MARK: Gathering

  func removeAll() { (count, byteCount, isTooLong, isLinear) = (0, 0, false, false) }

  /// What was gathered is never sent.
  func giveUp() { isTooLong = true }

  /// Adds what is at `address`; where there is no memory, zeros.
  func add(_ address: GuestAddress, _ length: Int, from memory: GuestMemory) {
    // Room is left for a tag.
    guard !isTooLong, length <= PacketLimits.largestFrame &- 4 &- byteCount else {
      isTooLong = true
      return
    }
    var done = 0
    while done < length {
      guard let bytes = memory.hostBytes(at: address + done, count: length &- done, for: .read),
        let base = bytes.baseAddress
      else { break }
      append(base, bytes.count)
      done &+= bytes.count
    }
    while done < length {
      let part = min(length &- done, Self.zeroByteCount)
      append(UnsafeMutableRawPointer(zeros), part)
      done &+= part
    }
  }

  private func append(_ base: UnsafeMutableRawPointer, _ length: Int) {
    if !isLinear, count == Self.limit { makeLinear() }
    if isLinear {
      memcpy(linear + byteCount, base, length)
      pieces[0].iov_len &+= length
    } else {
      pieces[count] = iovec(iov_base: base, iov_len: length)
      count &+= 1
    }
    byteCount &+= length
  }

  private func makeLinear() {
    copy(from: 0, count: byteCount, to: linear)
    pieces[0] = iovec(iov_base: linear, iov_len: byteCount)
    count = 1
    isLinear = true
  }

  // MARK: Looking at it

  /// Calls `body` with the memory that holds the bytes `start ..< start + length`, piece by piece.
  @inline(__always)
  func forEach(from start: Int, count length: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void) {
    var skip = start
    var left = length
    var index = 0
    while left > 0, index < count {
      let piece = pieces[index]
      index &+= 1
      if skip >= piece.iov_len {
        skip &-= piece.iov_len
        continue
      }
      guard let base = piece.iov_base else { continue }
      let part = min(piece.iov_len &- skip, left)
      body(base + skip, part)
      skip = 0
      left &-= part
    }
  }

  /// Copies bytes, as many as there are.
  func copy(from start: Int, count length: Int, to destination: UnsafeMutablePointer<UInt8>) {
    var done = 0
    forEach(from: start, count: length) { base, part in
      memcpy(destination + done, base, part)
      done &+= part
    }
  }

  /// Copies the first bytes to the template; returns how many.
  func readTemplate() -> Int {
    let length = min(byteCount, Self.headerByteCount)
    copy(from: 0, count: length, to: template)
    return length
  }

  // MARK: Handing it over

  /// The frame made of `headerCount` bytes of the header, with `tag` behind the addresses if there is one, and of the
  /// bytes `start ..< start + length`. Valid until the next call. A tag wants at least 12 bytes of header.
  func frame(headerCount: Int, tag: UInt16?, from start: Int, count length: Int)
    -> UnsafeBufferPointer<iovec>
  {
    var outputCount = 0
    if headerCount > 0 {
      var base = header
      var count = headerCount
      if let tag, headerCount >= 12 {
        base = headerStorage
        memmove(base, header, 12)
        base.store16(0x8100, at: 12)
        base.store16(tag, at: 14)
        count &+= Self.headerRoom
      }
      output[0] = iovec(iov_base: base, iov_len: count)
      outputCount = 1
    }
    forEach(from: start, count: length) { base, part in
      output[outputCount] = iovec(iov_base: base, iov_len: part)
      outputCount &+= 1
    }
    return UnsafeBufferPointer(start: output, count: outputCount)
  }

  /// A frame's bytes in one piece, to be received again; nil if it is too long.
  func looped(_ frame: UnsafeBufferPointer<iovec>) -> UnsafeRawBufferPointer? {
    var done = 0
    for piece in frame {
      guard let base = piece.iov_base, piece.iov_len <= Self.loopbackByteCount &- done else { return nil }
      memcpy(loopback + done, base, piece.iov_len)
      done &+= piece.iov_len
    }
    return UnsafeRawBufferPointer(start: loopback, count: done)
  }
}

/// Fields in network byte order.
extension UnsafePointer<UInt8> {
  func load16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1]) }
}

extension UnsafeMutablePointer<UInt8> {
  func store16(_ value: UInt16, at offset: Int) {
    self[offset] = UInt8(truncatingIfNeeded: value >> 8)
    self[offset &+ 1] = UInt8(truncatingIfNeeded: value)
  }
}
