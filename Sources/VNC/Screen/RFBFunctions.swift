// SPDX-License-Identifier: GPL-2.0-or-later

import CVNCServer
import DynamicLibrary

/// The functions of libvncserver that are used, by the library's names without `rfb`.
///
/// They are looked up rather than linked: the library brings nearly twenty others with it (TLS, compression), whose
/// loading is a fifth of a start, and which a machine without viewers does not need at all.
struct RFBFunctions: Sendable {
  typealias Client = rfbClientPtr
  typealias Screen = rfbScreenInfoPtr

  // Screens.
  let getScreen:
    @convention(c) (
      UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, Int32, Int32, Int32,
      Int32,
      Int32
    ) -> Screen?
  let screenCleanup: @convention(c) (Screen) -> Void
  let newFramebuffer:
    @convention(c) (Screen, UnsafeMutablePointer<CChar>, Int32, Int32, Int32, Int32, Int32) -> Void
  let markRectAsModified: @convention(c) (Screen, Int32, Int32, Int32, Int32) -> Void
  let makeXCursor:
    @convention(c) (Int32, Int32, UnsafeMutablePointer<CChar>, UnsafeMutablePointer<CChar>) -> rfbCursorPtr?

  // Clients.
  let newClient: @convention(c) (Screen, Int32) -> Client?
  let closeClient: @convention(c) (Client) -> Void
  let clientConnectionGone: @convention(c) (Client) -> Void
  let processClientMessage: @convention(c) (Client) -> Void
  let updateClient: @convention(c) (Client) -> rfbBool
  let setTranslateFunction: @convention(c) (Client) -> rfbBool
  let readExact: @convention(c) (Client, UnsafeMutablePointer<CChar>, Int32) -> Int32
  let writeExact: @convention(c) (Client, UnsafePointer<CChar>, Int32) -> Int32

  // Extensions, passwords, regions, the log.
  let registerProtocolExtension: @convention(c) (UnsafeMutablePointer<rfbProtocolExtension>) -> Void
  let disableExtension: @convention(c) (Client, UnsafeMutablePointer<rfbProtocolExtension>) -> rfbBool
  let encryptBytes: @convention(c) (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<CChar>) -> Void
  let regionIsEmpty: @convention(c) (OpaquePointer?) -> rfbBool
  let setLog: @Sendable (martlet_rfbLogSink) -> Void

  /// Loads the library.
  init() throws(DynamicLibraryError) {
    let library = try DynamicLibrary("libvncserver.so.1")
    getScreen = try library.function("rfbGetScreen")
    screenCleanup = try library.function("rfbScreenCleanup")
    newFramebuffer = try library.function("rfbNewFramebuffer")
    markRectAsModified = try library.function("rfbMarkRectAsModified")
    makeXCursor = try library.function("rfbMakeXCursor")
    newClient = try library.function("rfbNewClient")
    closeClient = try library.function("rfbCloseClient")
    clientConnectionGone = try library.function("rfbClientConnectionGone")
    processClientMessage = try library.function("rfbProcessClientMessage")
    updateClient = try library.function("rfbUpdateClient")
    setTranslateFunction = try library.function("rfbSetTranslateFunction")
    readExact = try library.function("rfbReadExact")
    writeExact = try library.function("rfbWriteExact")
    registerProtocolExtension = try library.function("rfbRegisterProtocolExtension")
    disableExtension = try library.function("rfbDisableExtension")
    encryptBytes = try library.function("rfbEncryptBytes")
    regionIsEmpty = try library.function("sraRgnEmpty")
    // Addresses of the library's variables, which stays loaded.
    let slots = [try library.variable("rfbLog"), try library.variable("rfbErr")].map { UInt(bitPattern: $0) }
    setLog = { sink in
      for slot in slots { martlet_rfbSetLog(UnsafeMutableRawPointer(bitPattern: slot), sink) }
    }
  }
}
