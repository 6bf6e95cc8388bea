// SPDX-License-Identifier: GPL-2.0-or-later

/// Numbers of the RFB protocol (RFC 6143; the registry of "The RFB Protocol", github.com/rfbproto/rfbproto).
enum RFB {
  /// The version this server offers.
  static let version = Array("RFB 003.008\n".utf8)

  /// Messages from the viewer.
  enum Message {
    static let setPixelFormat: UInt8 = 0
    static let setEncodings: UInt8 = 2
    static let framebufferUpdateRequest: UInt8 = 3
    static let keyEvent: UInt8 = 4
    static let pointerEvent: UInt8 = 5
    static let clientCutText: UInt8 = 6
    /// UltraVNC's file transfer.
    static let fileTransfer: UInt8 = 7
    /// UltraVNC's scaling.
    static let setScale: UInt8 = 8
    /// UltraVNC's input lock.
    static let setServerInput: UInt8 = 9
    /// UltraVNC's single window.
    static let setSingleWindow: UInt8 = 10
    /// UltraVNC's chat.
    static let textChat: UInt8 = 11
    static let xvp: UInt8 = 250
    static let setDesktopSize: UInt8 = 251
    /// QEMU's messages; the next byte says which.
    static let qemu: UInt8 = 255
    /// QEMU's extended key event.
    static let qemuExtendedKey: UInt8 = 0
    /// Not in the protocol: how the filter passes on a pointer event with more buttons, whose length the library
    /// does not know. Viewers cannot send it.
    static let internalPointerEvent: UInt8 = 0xFE
  }

  /// Encodings and pseudo-encodings.
  enum Encoding {
    static let raw: Int32 = 0
    static let copyRectangle: Int32 = 1
    static let rre: Int32 = 2
    static let hextile: Int32 = 5
    static let zlib: Int32 = 6
    static let tight: Int32 = 7
    static let zrle: Int32 = 16
    static let jpegQuality: ClosedRange<Int32> = -32 ... -23
    static let desktopSize: Int32 = -223
    static let lastRectangle: Int32 = -224
    static let cursor: Int32 = -239
    static let compression: ClosedRange<Int32> = -256 ... -247
    /// QEMU: movements instead of positions.
    static let pointerMotionChange: Int32 = -257
    /// QEMU: keys by their place.
    static let extendedKey: Int32 = -258
    /// QEMU: the lights of the keyboard.
    static let keyboardLEDs: Int32 = -261
    static let extendedDesktopSize: Int32 = -308
    /// Pointer events with a second byte of buttons.
    static let extendedMouseButtons: Int32 = -316
    static let fineJPEGQuality: ClosedRange<Int32> = -512 ... -412
    static let jpegSubsampling: ClosedRange<Int32> = -768 ... -763

    /// Whether it is passed on to the library. The rest of what the library knows (old, proprietary or
    /// needless encodings, the clipboard) is surface for attacks and nothing else.
    static func isOffered(_ encoding: Int32) -> Bool {
      switch encoding {
      case raw, copyRectangle, rre, hextile, zlib, tight, zrle: return true
      case desktopSize, lastRectangle, cursor, extendedDesktopSize: return true
      case pointerMotionChange, extendedKey, keyboardLEDs, extendedMouseButtons: return true
      default:
        return jpegQuality.contains(encoding) || compression.contains(encoding)
          || fineJPEGQuality.contains(encoding) || jpegSubsampling.contains(encoding)
      }
    }
  }
}
