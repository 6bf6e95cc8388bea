// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CVNCServer
import Display
import EventLoop
import Glibc
import Logging

/// The screen thread's work: the library's screen, its viewers, and when they get updates.
///
/// The thread and the library's screen exist from the first viewer on; without a viewer nothing is copied,
/// compared or asked of the machine.
final class ScreenService: @unchecked Sendable {
  // Unchecked: what changes is guarded by `RFBLibrary.lock`, which the thread's loop holds, except `thread`,
  // which only the network thread sets and `stop` reads after that thread has ended.

  /// How often the machine is asked to draw: usually, and while pictures keep changing.
  private static let calmInterval: UInt64 = 33_000_000
  private static let busyInterval: UInt64 = 16_000_000

  /// The library.
  let rfb: RFBFunctions
  let configuration: VNCConfiguration
  let input: InputRouter
  let log: Logger
  /// Told what viewers do, on the screen's thread.
  private let onViewer: @Sendable (ViewerFacts, ViewerEvent) -> Void
  /// The listener for the display's changes.
  let tracker: ChangeTracker

  private let name: String
  private let surface: DisplaySurface
  private let refresh: RefreshRequest
  private let password: Password
  private let loop: EventLoop
  private let doorbell: Notifier
  private let handler: Handler
  private var thread: ServiceThread?

  private var screen: rfbScreenInfoPtr?
  private var desktopName: UnsafeMutablePointer<CChar>?
  private var framebuffer: Framebuffer?
  private var viewers: [Viewer] = []
  private var lastTick: UInt64 = 0
  /// When the machine last drew.
  private var lastRefresh: UInt64 = 0
  private var isBusy = false
  private var layout: KeyboardLayout?
  private var isLayoutMissing = false

  /// Breaks the circle between the doorbell and what it calls.
  private final class Handler {
    weak var service: ScreenService?
  }

  /// A service without viewers.
  init(
    rfb: RFBFunctions, configuration: VNCConfiguration, name: String, surface: DisplaySurface,
    refresh: RefreshRequest,
    input: InputRouter, password: Password, log: Logger,
    onViewer: @escaping @Sendable (ViewerFacts, ViewerEvent) -> Void
  ) throws(HostError) {
    self.rfb = rfb
    self.onViewer = onViewer
    self.configuration = configuration
    self.name = name
    self.surface = surface
    self.refresh = refresh
    self.input = input
    self.password = password
    self.log = log
    loop = try EventLoop(lock: RFBLibrary.lock)
    let handler = Handler()
    self.handler = handler
    let doorbell = try Notifier(on: loop) { handler.service?.screenChanged() }
    self.doorbell = doorbell
    tracker = ChangeTracker { doorbell.signal() }
    handler.service = self
    loop.onDeadline { handler.service?.tick() }
  }

  // MARK: Called by other threads

  /// Network thread: serves the viewer at the other end of `descriptor`.
  func addViewer(_ descriptor: Int32, link: ViewerLink) {
    if thread == nil {
      do throws(HostError) {
        thread = try ServiceThread(name: "vnc-screen") { [loop] in loop.run() }
      } catch {
        log.error("\(error)")
        close(descriptor)
        return
      }
    }
    loop.post { self.add(descriptor, link: link) }
  }

  /// Any thread: a viewer takes data again.
  func wake() { doorbell.signal() }

  /// Ends the thread and disconnects all viewers. Called after the network thread has ended.
  func stop() {
    loop.stop()
    thread?.join()
    thread = nil
    RFBLibrary.lock.withLock {
      tracker.setActive(false)
      for viewer in viewers where !viewer.isClosed { rfb.closeClient(viewer.client) }
      removeClosed()
      doorbell.close()
    }
  }

  // MARK: Viewers

  private func add(_ descriptor: Int32, link: ViewerLink) {
    if screen == nil { openScreen() }
    guard let screen else {
      close(descriptor)
      return
    }
    guard let client = rfb.newClient(screen, descriptor) else {
      log.debug("the library refused the viewer from \(link.peer)")
      closeScreenIfUnused()
      return
    }
    let viewer = Viewer(client, link: link, service: self)
    viewers.append(viewer)
    client.pointee.clientData = Unmanaged.passUnretained(viewer).toOpaque()
    client.pointee.clientGoneHook = { client in
      if let client { ViewerExtension.remove(from: client) }
    }
    do throws(HostError) {
      viewer.watch = try loop.watch(descriptor, for: .readable) { [unowned self, unowned viewer] _ in
        self.receive(from: viewer)
      }
    } catch {
      log.error("\(error)")
      rfb.closeClient(client)
    }
    log.info("VNC viewer from \(link.peer)")
    onViewer(link.facts, .connected)
    // Its version waits already.
    receive(from: viewer)
  }

  private func receive(from viewer: Viewer) {
    // Messages are whole, so none of these waits.
    for _ in 0..<64 where !viewer.isClosed {
      rfb.processClientMessage(viewer.client)
      guard !viewer.isClosed else { break }
      // The library lets the viewer that holds a button lock out all others.
      viewer.client.pointee.screen.pointee.pointerClient = nil
      var waiting: Int32 = 0
      guard ioctl(viewer.client.pointee.sock, UInt(FIONREAD), &waiting) == 0, waiting > 0 else { break }
    }
    if !viewer.isAnnounced, !viewer.isClosed, viewer.client.pointee.state == RFB_NORMAL {
      viewer.isAnnounced = true
      onViewer(viewer.link.facts, .initialized)
    }
    updateFreshly(viewer)
    finish()
  }

  /// Sends an update, from a picture no older than the interval at which viewers see changes anyway: a viewer that asks for
  /// the whole screen once gets what is on it now.
  private func updateFreshly(_ viewer: Viewer) {
    guard viewer.wantsUpdate else { return }
    if Self.now &- lastRefresh < Self.busyInterval { return viewer.update() }
    viewer.awaitsRefresh = true
    requestRefresh()
  }

  private func requestRefresh() {
    refresh.post { [loop] in loop.post { [weak self] in self?.refreshDone() } }
  }

  private func refreshDone() {
    lastRefresh = Self.now
    for viewer in viewers { viewer.awaitsRefresh = false }
    screenChanged()
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000
      &+ UInt64(truncatingIfNeeded: time.tv_nsec)
  }

  /// Forgets viewers that are gone, and sees to the next refresh.
  private func finish() {
    removeClosed()
    scheduleTick()
  }

  private func removeClosed() {
    guard viewers.contains(where: \.isClosed) else { return }
    let closed = viewers.filter(\.isClosed)
    viewers.removeAll(where: \.isClosed)
    for viewer in closed {
      log.info("the VNC viewer from \(viewer.link.peer) is gone")
      onViewer(viewer.link.facts, .disconnected)
      viewer.watch?.cancel()
      viewer.releaseEverything()
      viewer.client.pointee.clientData = nil
      rfb.clientConnectionGone(viewer.client)
    }
    closeScreenIfUnused()
  }

  // MARK: The library's screen

  private func openScreen() {
    RFBLibrary.prepare(rfb, log: log)
    tracker.setActive(true)
    requestRefresh()
    let framebuffer = surface.lock.withLock { Framebuffer(copying: surface) }
    guard let screen = rfb.getScreen(nil, nil, Int32(framebuffer.width), Int32(framebuffer.height), 8, 3, 4)
    else {
      return log.error("libvncserver cannot make a screen")
    }
    self.screen = screen
    self.framebuffer = framebuffer
    screen.pointee.frameBuffer = UnsafeMutableRawPointer(framebuffer.pixels).assumingMemoryBound(
      to: CChar.self)
    setPixelFormat(of: screen)
    screen.pointee.screenData = Unmanaged.passUnretained(self).toOpaque()
    desktopName = strdup(name)
    screen.pointee.desktopName = UnsafePointer(desktopName)
    // The machine paces the updates.
    screen.pointee.deferUpdateTime = 0
    screen.pointee.deferPtrUpdateTime = 0
    screen.pointee.maxRectsPerUpdate = 400
    // Between the threads, data flows at once; this is only ever reached by a defect.
    screen.pointee.maxClientWait = 5000
    // No pointer is drawn into the picture; viewers that can show a dot.
    screen.pointee.cursor = nil
    screen.pointee.getCursorPtr = { _ in RFBLibrary.dot }
    screen.pointee.alwaysShared = configuration.sharing == .ignore ? 1 : 0
    screen.pointee.dontDisconnect = configuration.sharing == .forceShared ? 1 : 0
    if configuration.needsPassword {
      // Anything but nil makes the library ask `passwordCheck`.
      screen.pointee.authPasswdData = screen.pointee.screenData
    }
    screen.pointee.passwordCheck = { client, response, count in
      guard let viewer = Viewer.of(client), let client, let response else { return 0 }
      let challenge = withUnsafeBytes(of: client.pointee.authChallenge) { Array($0) }
      return viewer.checkPassword(
        UnsafeBufferPointer(start: response, count: Int(count)), challenge: challenge) ? 1 : 0
    }
    screen.pointee.kbdAddEvent = { isDown, keysym, client in
      Viewer.of(client)?.type(keysym, isDown: isDown != 0)
    }
    screen.pointee.ptrAddEvent = { mask, x, y, client in
      Viewer.of(client)?.movePointer(mask: mask, x: Int(x), y: Int(y))
    }
  }

  /// 32 bits: red 23…16, green 15…8, blue 7…0, as ``DisplaySurface`` has them.
  private func setPixelFormat(of screen: rfbScreenInfoPtr) {
    screen.pointee.serverFormat.depth = 24
    screen.pointee.serverFormat.redShift = 16
    screen.pointee.serverFormat.greenShift = 8
    screen.pointee.serverFormat.blueShift = 0
  }

  private func closeScreenIfUnused() {
    guard viewers.isEmpty, let screen else { return }
    tracker.setActive(false)
    rfb.screenCleanup(screen)
    self.screen = nil
    framebuffer = nil
    free(desktopName)
    desktopName = nil
    loop.setDeadline(nil)
  }

  /// Whether `response` shows that a viewer knows the password.
  func accepts(_ response: UnsafeBufferPointer<CChar>, to challenge: [UInt8]) -> Bool {
    password.accepts(response, to: challenge, with: rfb)
  }

  // MARK: Pictures

  /// The display changed, or a viewer takes data again.
  private func screenChanged() {
    guard let screen else { return }
    let changes = tracker.take()
    surface.lock.lock()
    if let framebuffer, !framebuffer.hasSize(of: surface) {
      let new = Framebuffer(copying: surface)
      surface.lock.unlock()
      resize(screen, to: new)
      isBusy = true
    } else {
      let everything = [PixelRectangle(x: 0, y: 0, width: surface.width, height: surface.height)]
      var changed: [PixelRectangle] = []
      for rectangle in changes.isEverything ? everything : changes.rectangles {
        framebuffer?.update(rectangle, from: surface) { changed.append($0) }
      }
      surface.lock.unlock()
      for area in changed {
        rfb.markRectAsModified(
          screen, Int32(area.x), Int32(area.y), Int32(area.x + area.width), Int32(area.y + area.height))
      }
      if !changed.isEmpty { isBusy = true }
    }
    for viewer in viewers { viewer.update() }
    finish()
  }

  private func resize(_ screen: rfbScreenInfoPtr, to new: Framebuffer) {
    let pixels = UnsafeMutableRawPointer(new.pixels).assumingMemoryBound(to: CChar.self)
    rfb.newFramebuffer(screen, pixels, Int32(new.width), Int32(new.height), 8, 3, 4)
    framebuffer = new
    // The library went back to its own pixel format, also in the tables that translate to a viewer's.
    setPixelFormat(of: screen)
    for viewer in viewers where !viewer.isClosed { _ = rfb.setTranslateFunction(viewer.client) }
  }

  /// Input usually changes the picture: look soon.
  func inputHappened() { isBusy = true }

  private func scheduleTick() {
    guard viewers.contains(where: \.wantsUpdate) else { return loop.setDeadline(nil) }
    loop.setDeadline(lastTick &+ (isBusy ? Self.busyInterval : Self.calmInterval))
  }

  private func tick() {
    lastTick = Self.now
    isBusy = false
    for viewer in viewers {
      viewer.announceModes()
      viewer.update()
    }
    if viewers.contains(where: \.wantsUpdate) { requestRefresh() }
    finish()
  }

  // MARK: Keyboard

  /// The guest's keyboard layout, loaded when the first plain viewer types; nil if it cannot be.
  func keyboardLayout() -> KeyboardLayout? {
    guard layout == nil, !isLayoutMissing else { return layout }
    do throws(VNCError) {
      layout = try KeyboardLayout(configuration.keyboardLayout)
    } catch {
      isLayoutMissing = true
      log.error("\(error)")
    }
    return layout
  }
}
