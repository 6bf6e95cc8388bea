// SPDX-License-Identifier: GPL-2.0-or-later

import CX87

/// The state as a whole: tag words, FXSAVE images, initialization.
extension UnsafeMutablePointer<Processor> {
  /// The status word with TOP.
  var statusWord: UInt16 {
    get { pointee.fsw | UInt16(pointee.top) &<< 11 }
    nonmutating set {
      pointee.top = UInt8(truncatingIfNeeded: newValue >> 11) & 7
      pointee.fsw = newValue & ~StatusWord.top
      summarizeExceptions()
    }
  }

  /// The control word, with the bits that are fixed. Set it before ``statusWord``.
  var controlWord: UInt16 {
    get { pointee.fcw }
    nonmutating set { pointee.fcw = newValue & ControlWord.implemented | ControlWord.reserved }
  }

  /// The tag word with two bits a physical register (SDM volume 1, section 8.1.7).
  var tagWord: UInt16 {
    get {
      var word: UInt16 = 0
      for number in UInt8(0)..<8 {
        let tag: UInt16 = pointee.x87Valid >> number & 1 == 0 ? 3 : x87Physical(number).pointee.tag
        word |= tag &<< (UInt16(number) &* 2)
      }
      return word
    }
    nonmutating set {
      var valid: UInt8 = 0
      for number in UInt8(0)..<8 where newValue &>> (UInt16(number) &* 2) & 3 != 3 {
        valid |= 1 &<< number
      }
      pointee.x87Valid = valid
    }
  }

  /// FINIT: registers keep their values.
  func initializeX87() {
    pointee.fcw = ControlWord.initial
    pointee.fsw = 0
    pointee.top = 0
    pointee.x87Valid = 0
    (pointee.fop, pointee.fcs, pointee.fds, pointee.fip, pointee.fdp) = (0, 0, 0, 0, 0)
  }

  /// Writes the x87 part of an FXSAVE image: its first 160 bytes without MXCSR and its mask at 24 … 31. The
  /// `wide` format (REX.W) has 64-bit pointers without selectors (SDM volume 1, section 10.5.1).
  func storeLegacyFloatingPoint(to image: UnsafeMutableRawPointer, wide: Bool = false) {
    image.storeBytes(of: pointee.fcw, as: UInt16.self)
    image.storeBytes(of: statusWord, toByteOffset: 2, as: UInt16.self)
    image.storeBytes(of: UInt16(pointee.x87Valid), toByteOffset: 4, as: UInt16.self)
    image.storeBytes(of: pointee.fop, toByteOffset: 6, as: UInt16.self)
    if wide {
      image.storeBytes(of: pointee.fip, toByteOffset: 8, as: UInt64.self)
      image.storeBytes(of: pointee.fdp, toByteOffset: 16, as: UInt64.self)
    } else {
      let low: UInt64 = 0xFFFF_FFFF
      let (instruction, data) = (
        pointee.fip & low | UInt64(pointee.fcs) &<< 32, pointee.fdp & low | UInt64(pointee.fds) &<< 32
      )
      image.storeBytes(of: instruction, toByteOffset: 8, as: UInt64.self)
      image.storeBytes(of: data, toByteOffset: 16, as: UInt64.self)
    }
    for index in UInt8(0)..<8 {
      let (number, offset) = (st(index).pointee, 32 + Int(index) &* 16)
      image.storeBytes(of: number.significand, toByteOffset: offset, as: UInt64.self)
      image.storeBytes(of: UInt64(number.exponent), toByteOffset: offset + 8, as: UInt64.self)
    }
  }

  /// Takes over the x87 part of an FXSAVE image, any bytes.
  func loadLegacyFloatingPoint(from image: UnsafeRawPointer, wide: Bool = false) {
    controlWord = image.loadUnaligned(as: UInt16.self)
    statusWord = image.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
    pointee.x87Valid = image.loadUnaligned(fromByteOffset: 4, as: UInt8.self)
    pointee.fop = image.loadUnaligned(fromByteOffset: 6, as: UInt16.self) & 0x7FF
    let instruction = image.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    let data = image.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    if wide {
      (pointee.fip, pointee.fcs) = (instruction, 0)
      (pointee.fdp, pointee.fds) = (data, 0)
    } else {
      pointee.fip = instruction & 0xFFFF_FFFF
      pointee.fcs = UInt16(truncatingIfNeeded: instruction &>> 32)
      pointee.fdp = data & 0xFFFF_FFFF
      pointee.fds = UInt16(truncatingIfNeeded: data &>> 32)
    }
    for index in UInt8(0)..<8 {
      let offset = 32 + Int(index) &* 16
      st(index).pointee = martlet_x87_number(
        significand: image.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
        exponent: image.loadUnaligned(fromByteOffset: offset + 8, as: UInt16.self))
    }
  }
}

extension martlet_x87_number {
  /// What the tag word says of a number: 0 valid, 1 zero, 2 special.
  var tag: UInt16 {
    if exponent & 0x7FFF == 0 && significand == 0 { return 1 }
    let isNormal = exponent & 0x7FFF != 0x7FFF && significand >> 63 != 0 && exponent & 0x7FFF != 0
    return isNormal ? 0 : 2
  }
}
