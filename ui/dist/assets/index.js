// node_modules/preact/dist/preact.mjs
var n$1;
var t$2;
var r$2;
var u$3;
var i$2;
var f$3;
var o$3;
var e$2;
var l$2;
var c$2;
var a$3;
var h$3 = Symbol.for("pv");
var p$3 = {};
var y$3 = [];
var v$2 = /^m(i|n|o|s|text|space)$/;
var w$3 = Array.isArray;
var d$3 = y$3.slice;
var _$2 = Object.assign;
function g$3(n) {
	n && n.parentNode && n.remove();
}
function k$2(n, t, r) {
	var u, i, f, o = {}, e = arguments.length;
	for (f in t) "key" == f ? u = t[f] : "ref" == f && "function" != typeof n ? i = t[f] : o[f] = t[f];
	return e > 2 && (o.children = e > 3 ? d$3.call(arguments, 2) : r), m$3(n, o, u, i, null);
}
function m$3(r, u, i, f, o) {
	var e = {
		type: r,
		props: u,
		key: i,
		ref: f,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: h$3,
		__v: o || ++t$2,
		__i: -1,
		__u: 0
	};
	return !o && n$1.vnode && n$1.vnode(e), e;
}
function $(n) {
	return n.children;
}
function x$1(n, t) {
	this.props = n, this.context = t, this.__g = 0;
}
function S$1(n, t) {
	if (null == t) return n.__ && S$1(n.__, n.__i + 1);
	for (var r; t < n.__k.length; t++) if ((r = n.__k[t]) && r.__e) return r.__e;
	return "function" != typeof n.type || n.props.__P ? null : S$1(n);
}
function C$1(t) {
	var r, u = t.__v, i = u.__e, f = [], o = [], e = t.__P;
	e && ((r = _$2({ constructor: h$3 }, u)).__v = u.__v + 1, n$1.vnode && n$1.vnode(r), z$1(e, r, u, t.__n, e.namespaceURI, 32 & u.__u ? [i] : null, f, i || S$1(u), 32 & u.__u, o), r.__v = u.__v, r.__.__k[r.__i] = r, E$1(f, r, o), u.__ = u.__e = null, r.__e != i && j$1(r));
}
function j$1(n) {
	if ((n = n.__) && n.__c && !n.props.__P) return n.__e = null, n.__k.some(function(t) {
		return t && (n.__e = t.__e);
	}), j$1(n);
}
function L(t) {
	(8 & t.__g || (t.__g |= 8, u$3.push(t), f$3++)) && i$2 == n$1.debounceRendering || ((i$2 = n$1.debounceRendering) || queueMicrotask)(H);
}
function H() {
	try {
		for (var n, t = 1; u$3.length;) u$3.length > t && u$3.sort(o$3), n = u$3.shift(), t = u$3.length, 8 & n.__g && C$1(n);
	} finally {
		(f$3 = u$3.length) && (i$2 || queueMicrotask)(H);
	}
}
function I(n, t, r, u, i, f, o, e, l, c, a) {
	var s, h, v, w, d, _, g = u.__k || y$3, k = t.length;
	for (l = q(r, t, g, l, k), s = 0; s < k; s++) null != (v = r.__k[s]) && (h = ~v.__i && g[v.__i] || p$3, v.__i = s, _ = z$1(n, v, h, i, f, o, e, l, c, a), w = v.__e, (h.ref != v.ref || 8 & h.__u) && (h.ref && G$1(h.ref, null, v, h), v.ref && a.push(v.ref, v.__c || w, v)), d = d || w, 4 & v.__u ? (l = A$2(v, l, n, !h.__v), h.__e && (h.__e = null)) : "function" == typeof v.type && void 0 !== _ ? l = _ : w && (l = w.nextSibling), v.__u &= -21);
	return r.__e = d, l;
}
function q(n, t, r, u, i) {
	var f, o, e, l, c, a, s, p, y, v = r.length, d = v, _ = 0, g = 0, k = n.__k = Array(i);
	for (f = 0; f < i; f++) null != (o = t[f]) && "boolean" != typeof o && "function" != typeof o ? ("object" != typeof o || o.constructor === String ? o = k[f] = m$3(null, o) : w$3(o) ? o = k[f] = m$3($, { children: o }) : o.constructor === h$3 && o.__b ? o = k[f] = m$3(o.type, o.props, o.key, o.ref, o.__v) : k[f] = o, l = f + _, o.__ = n, o.__b = n.__b + 1, e = null, ~(c = o.__i = P(o, r, l, d)) && (d--, (e = r[c]) && (e.__u |= 2)), e && e.__v ? (o.__u |= 16, c == l - 1 ? _-- : c == l + 1 ? _++ : c != l && (c > l ? _-- : _++, g = 1)) : (~c || (i > v ? _-- : i < v && _++), "function" != typeof o.type && (o.__u |= 4))) : k[f] = null;
	if (g) {
		for (a = [], s = [], f = 0; f < i; f++) if ((o = k[f]) && 16 & o.__u) {
			for (_ = 0, p = a.length; _ < p;) a[y = _ + p >> 1] < o.__i ? _ = y + 1 : p = y;
			a[_] = o.__i, s[f] = _ + 1;
		}
		for (_ = a.length; f--;) s[f] && (s[f] == _ ? _-- : k[f].__u |= 4);
	}
	if (d) for (f = 0; f < v; f++) !(e = r[f]) || 2 & e.__u || (e.__e == u && (u = S$1(e)), J(e, e));
	return u;
}
function A$2(n, t, r, u) {
	var i, f, o, e;
	if ("function" == typeof n.type) {
		if (n.props.__P) return t;
		if (i = n.__k) for (f = 0; f < i.length; f++) i[f] && (i[f].__ = n, t = A$2(i[f], t, r, !1));
		return t;
	}
	for (t && !t.parentNode && (t = S$1(n)) && !t.parentNode && (t = null), o = n.__e, e = t; e && 8 == e.nodeType;) e = e.nextSibling;
	for (o != e && (!u && r.moveBefore && o.parentNode ? r.moveBefore(o, t) : r.insertBefore(o, t || null)), t = o; (t = t && t.nextSibling) && 8 == t.nodeType && !t.data.startsWith("$s"););
	return t;
}
function P(n, t, r, u) {
	var i, f = n.key, o = n.type, e = t[r], l = e && !(2 & e.__u);
	if (null === e && null == f || l && f == e.key && o == e.type) return r;
	if (u > (l ? 1 : 0)) {
		for (i = r - 1; i >= 0; i--) if ((e = t[i]) && !(2 & e.__u) && f == e.key && o == e.type) return i;
		for (i = r + 1; i < t.length; i++) if ((e = t[i]) && !(2 & e.__u) && f == e.key && o == e.type) return i;
	}
	return -1;
}
function T$1(n, t, r) {
	r ??= "", "-" == t[0] ? n.setProperty(t, r) : n[t] = r;
}
function N(n, t, r, u, i) {
	var f, o;
	if ("style" == t) if ("string" == typeof r) n.style.cssText = r;
	else {
		if ("string" == typeof u && (n.style.cssText = u = ""), u) for (t in u) r && t in r || T$1(n.style, t);
		if (r) for (t in r) u && r[t] == u[t] || T$1(n.style, t, r[t]);
	}
	else if ("o" == t[0] && "n" == t[1]) "function" != typeof r && (r = null), "function" != typeof u && (u = null), (n.__e || (n.__e = {}))[t] = r, r && u || (o = a$3[t] || (a$3[t] = V(t)), (n.__a || (n.__a = {}))[t] = c$2, f = t != (t = t.replace(l$2, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), r ? n.addEventListener(t, o, f) : n.removeEventListener(t, o, f));
	else {
		if ("http://www.w3.org/2000/svg" == i) t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if ("width" != t && "height" != t && "href" != t && "list" != t && "form" != t && "tabIndex" != t && "download" != t && "rowSpan" != t && "colSpan" != t && "role" != t && "popover" != t && t in n) try {
			n[t] = null == r ? "" : r;
			return;
		} catch (n) {}
		if ("function" == typeof r) return;
		null == r || !1 === r && "-" != t[4] ? n.removeAttribute(t) : n.setAttribute(t, "popover" == t && 1 == r ? "" : r);
	}
}
function V(t) {
	return function(r) {
		var u = this.__e;
		if (u) {
			if (u = u[t], null == r[e$2]) r[e$2] = c$2++;
			else if (r[e$2] < this.__a[t]) return;
			return u(n$1.event ? n$1.event(r) : r);
		}
	};
}
function z$1(t, r, u, i, f, o, e, l, c, a) {
	var s, p, v, d, k, b, m, M, C, j, L, H, q, A, O, P, T, N, V = r.type;
	if (r.constructor !== h$3) return null;
	128 & u.__u && (c = 32 & u.__u, s = u.__c.__z) && (r.__u |= c, p = o = [], 8 == s.nodeType ? l = B$1(s, o) : o.push(s), l = o[0] || l), (s = n$1.__b) && s(r);
	n: if ("function" == typeof V) {
		v = e.length;
		try {
			if (M = r.props, C = (s = V.prototype) && s.render, j = (s = V.contextType) && i[s.__c], L = s ? j ? j.props.value : s.__ : i, (d = u.__c) ? (r.__c = d, 2 & d.__g && (d.__g |= 1)) : (C ? r.__c = d = new V(M, L) : (r.__c = d = new x$1(M, L), d.constructor = V, d.render = K), j && j.sub(d), d.state || (d.state = {}), d.__n = i, d.__g |= 8, d.__h = [], d.__k = []), C && (d.__s || (d.__s = d.state), V.getDerivedStateFromProps && (d.__s == d.state && (d.__s = _$2({}, d.__s)), _$2(d.__s, V.getDerivedStateFromProps(M, d.__s)))), k = d.props, b = d.state, d.__v = r, u.__c) {
				if (M !== k && C && !V.getDerivedStateFromProps && d.componentWillReceiveProps && d.componentWillReceiveProps(M, L), r.__v == u.__v && !(8 & d.__g) || !(4 & d.__g) && d.shouldComponentUpdate && !1 === d.shouldComponentUpdate(M, d.__s, L)) {
					r.__v != u.__v && (d.props = M, d.state = d.__s, d.__g &= -9), r.__e = u.__e, r.__k = u.__k, r.__k.some(function(n) {
						n && (n.__ = r);
					}), y$3.push.apply(d.__h, d.__k), d.__k = [], d.__h.length && e.push(d), l = S$1(u);
					break n;
				}
				d.componentWillUpdate && d.componentWillUpdate(M, d.__s, L), C && d.componentDidUpdate && d.__h.push(function() {
					d.componentDidUpdate(k, b, m);
				});
			} else C && !V.getDerivedStateFromProps && d.componentWillMount && d.componentWillMount(), C && d.componentDidMount && d.__h.push(d.componentDidMount);
			d.context = L, d.props = M, d.__P = t, d.__g &= -5, H = n$1.__r, q = C ? 25 : 0;
			do
				d.__g &= -9, H && H(r), s = d.render(d.props, d.state = d.__s, d.context);
			while (8 & d.__g && ++q < 25);
			C && (y$3.push.apply(d.__h, d.__k), d.__k = []), d.state = d.__s, d.getChildContext && (i = _$2({}, i, d.getChildContext())), C && u.__c && d.getSnapshotBeforeUpdate && (m = d.getSnapshotBeforeUpdate(k, b)), A = s && s.type === $ && null == s.key ? s.props.children : s, M.__P && (s = l, f = (t = M.__P).namespaceURI, c = o = null, u.props && u.props.__P != t && (u.__k.some(function(n) {
				n && J(n, n);
			}), u.__k = null), l = u.__k ? S$1(u, 0) : null), l = I(t, w$3(A) ? A : [A], r, u, i, f, o, e, l, c, a), M.__P && (r.__e = null, l = s), r.__u &= -161, p && p.some(g$3), d.__h.length && e.push(d), 1 & d.__g && (d.__g &= -4);
		} catch (t) {
			if (e.length = v, r.__v = null, c || o) if (t && t.then) {
				if (r.__u |= 128 | c, o) {
					for (~(T = o.indexOf(l || void 0)) || (T = o.length); (N = o[T - 1]) && 8 == N.nodeType;) T--;
					for (; T < o.length; T++) if (N = o[T]) if (o[T] = null, O) {
						if (N == P) break;
					} else {
						if (8 != N.nodeType) break;
						N.data.startsWith("$s") && (P = B$1(O = N));
					}
				}
				if (!O) {
					for (; l && 8 == l.nodeType && l.nextSibling;) l = l.nextSibling;
					O = l;
				}
				(s = B$1(O = r.__c.__z || (r.__c.__z = O))) ? (r.__e = O, l = s) : r.__e = l, l = l && l.nextSibling;
			} else o && o.some(g$3);
			else r.__e = u.__e;
			r.__k || (r.__k = u.__k || []), t && t.then || D$1(r), n$1.__e(t, r, u);
		}
	} else l = r.__e = F$2(u.__e, r, u, i, f, o, e, c, a, t);
	return (s = n$1.diffed) && s(r), l;
}
function B$1(n, t) {
	if (n && 8 == n.nodeType && n.data.startsWith("$s")) for (var r = 1; n = n.nextSibling;) {
		if (8 == n.nodeType) {
			if (n.data.startsWith("$s")) r++;
			else if (n.data.startsWith("/$s") && !--r) return n;
		}
		t && t.push(n);
	}
}
function D$1(n) {
	n && (n.__c && (n.__c.__g |= 4), n.__k && n.__k.some(D$1));
}
function E$1(t, r, u) {
	for (var i = 0; i < u.length;) G$1(u[i++], u[i++], u[i++]);
	n$1.__c && n$1.__c(r, t), t.some(function(r) {
		try {
			t = r.__h, r.__h = [], t.some(function(n) {
				n.call(r);
			});
		} catch (t) {
			n$1.__e(t, r.__v);
		}
	});
}
function F$2(t, r, u, i, f, o, e, l, c, a) {
	var s, h, y, _, k, b, m, M, $ = u.props || p$3, x = r.props, C = r.type;
	if ("svg" == C ? f = "http://www.w3.org/2000/svg" : "math" == C ? f = "http://www.w3.org/1998/Math/MathML" : f || (f = "http://www.w3.org/1999/xhtml"), o) {
		for (s = 0; s < o.length; s++) if ((k = o[s]) && (C ? k.localName == C : 3 == k.nodeType)) {
			t = k, o[s] = null;
			break;
		}
	}
	if (!t) {
		if (M = a.ownerDocument || document, !C) return M.createTextNode(x);
		t = M.createElementNS(f, C, x.is ? x : a), l && (n$1.__m && n$1.__m(r, o), l = !1), o = null;
	}
	if (C) {
		if (a = "template" == C && t.content || t, o = "textarea" == C && null != x.defaultValue ? null : o && d$3.call(a.childNodes), !l && o) for ($ = {}, s = 0; s < t.attributes.length; s++) $[(k = t.attributes[s]).name] = k.value;
		for (s in $) k = $[s], "dangerouslySetInnerHTML" == s ? y = k : "children" == s || s in x || "value" == s && "defaultValue" in x || "checked" == s && "defaultChecked" in x || N(t, s, null, k, f);
		for (s in x) k = x[s], "children" == s ? _ = k : "dangerouslySetInnerHTML" == s ? h = k : "value" == s ? b = k : "checked" == s ? m = k : l && "function" != typeof k || $[s] === k || N(t, s, k, $[s], f);
		h ? (l || y && (h.__html == y.__html || h.__html == t.innerHTML) || (t.innerHTML = h.__html), r.__k = []) : (y && (t.textContent = ""), ("foreignObject" == C || "http://www.w3.org/1998/Math/MathML" == f && v$2.test(C)) && (f = "http://www.w3.org/1999/xhtml"), I(a, w$3(_) ? _ : [_], r, u, i, f, o, e, o ? o[0] : u.__k && S$1(u, 0), l, c), o && o.some(g$3)), l && "textarea" != C || (s = "value", "progress" == C && null == b ? t.removeAttribute(s) : null == b || b === t[s] && ("progress" != C || b) || N(t, s, b, $[s], f), s = "checked", null != m && m != t[s] && N(t, s, m, $[s], f));
	} else $ === x || l && t.data == x || (t.data = x);
	return t;
}
function G$1(t, r, u, i) {
	try {
		"function" == typeof t ? r ? r.__x = t(r) || 1 : i && (i = i.__c || i.__e) && (r = i.__x) && (i.__x = null, "function" == typeof r ? r() : t(null)) : t.current = r;
	} catch (t) {
		n$1.__e(t, u);
	}
}
function J(t, r, u) {
	var i, f, o, e;
	if (n$1.unmount && n$1.unmount(t), !(i = t.ref) || i.current && i.current != t.__e || G$1(i, null, r, t), i = t.__c) {
		if (i.componentWillUnmount) try {
			i.componentWillUnmount();
		} catch (t) {
			n$1.__e(t, r);
		}
		i.__P = i.__n = null;
	}
	if (i = t.__k) for (e = 0; e < i.length; e++) i[e] && J(i[e], r, "function" != typeof t.type || u && !t.props.__P);
	!u && (i = t.__c) && (i = i.__z) && (f = B$1(i, o = [])) && (i == t.__e && o.some(g$3), g$3(f), g$3(i)), u || g$3(t.__e), t.__e = t.__c = t.__ = null;
}
function K(n, t, r) {
	return this.constructor(n, r);
}
function Q(t, r) {
	var u, i, f, o;
	n$1.__ && n$1.__(t, r), 9 == r.nodeType && (r = r.documentElement), i = (u = t && 32 & t.__u) ? null : r.__k, r.__k = m$3($, { children: [t] }), f = [], o = [], z$1(r, r.__k, i || p$3, p$3, r.namespaceURI, i ? null : r.firstChild ? d$3.call(r.childNodes) : null, f, i ? i.__e : r.firstChild, u, o), E$1(f, r.__k, o), r.__k.props.children = null;
}
n$1 = { __e: function(n, t, r, u) {
	for (var i, o, e; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((e = (o = i.constructor) && o.getDerivedStateFromError) && i.setState(o.getDerivedStateFromError(n)), i.componentDidCatch && (i.componentDidCatch(n, u || {}), e = 1), e && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			n = t;
		}
	}
	throw f$3 = 0, n;
} }, t$2 = 0, r$2 = function(n) {
	return null != n && n.constructor === h$3;
}, x$1.prototype.setState = function(n, t) {
	var r = this.__s;
	r && r != this.state || (r = this.__s = _$2({}, this.state)), "function" == typeof n && (n = n(_$2({}, r), this.props)), n && (_$2(r, n), this.__v && (t && this.__k.push(t), L(this)));
}, x$1.prototype.forceUpdate = function(n) {
	this.__v && (this.__g |= 4, n && this.__h.push(n), L(this));
}, x$1.prototype.render = $, u$3 = [], f$3 = 0, o$3 = function(n, t) {
	return n.__v.__b - t.__v.__b;
}, e$2 = Symbol(), l$2 = /(PointerCapture)$|Capture$/i, c$2 = 0, a$3 = {};
// node_modules/preact/hooks/dist/hooks.mjs
var t$1;
var r$1;
var u$2;
var i$1;
var o$2 = Object.is;
var f$2 = 0;
var c$1 = [];
var e$1 = [];
var a$2 = n$1;
var v$1 = a$2.__b;
var l$1 = a$2.__r;
var m$2 = a$2.diffed;
var h$2 = a$2.__c;
var s$1 = a$2.unmount;
var p$2 = a$2.__;
function y$2(n, t) {
	a$2.__h && a$2.__h(r$1, n, f$2 || t), f$2 = 0;
	var u = r$1.__H || (r$1.__H = {
		__: [],
		__h: []
	});
	return n >= u.__.length && u.__.push({}), u.__[n];
}
function d$2(n) {
	return f$2 = 1, _$1(G, n);
}
function _$1(n, u, i) {
	var f = y$2(t$1++, 2);
	if (f.t = n, !f.__c && (f.__ = [i ? i(u) : G(void 0, u), function(n) {
		var t = (f.__N || f.__)[0], r = f.t(t, n);
		o$2(t, r) || (f.__N = [r, f.__[1]], f.__c.setState({}));
	}], f.__c = r$1, !r$1.__f)) {
		r$1.__f = !0;
		var c = r$1.shouldComponentUpdate;
		r$1.shouldComponentUpdate = function(n, t, r) {
			var u = this.__H;
			if (!u) return !0;
			var i = !1, f = this.props != n;
			if (u.__.some(function(n) {
				n.__N && (i = !0, o$2(n.__[0], n.__N[0]) || (f = !0));
			}), c) {
				var e = c.call(this, n, t, r);
				return i ? e || f : e;
			}
			return !i || f;
		};
	}
	return f.__;
}
function A$1(n, u) {
	var i = y$2(t$1++, 3);
	!a$2.__s && E(i.__H, u) && (i.__P = !0, i.__ = n, i.u = u, r$1.__H.__h.push(i));
}
function F$1(n, u) {
	var i = y$2(t$1++, 4);
	!a$2.__s && E(i.__H, u) && (i.__P = !1, i.__ = n, i.u = u, r$1.__h.push(i));
}
function T(n) {
	return f$2 = 5, w$2(function() {
		return { current: n };
	}, []);
}
function w$2(n, r) {
	var u = y$2(t$1++, 7);
	return E(u.__H, r) && (u.__ = n(), u.__H = r), u.__;
}
function b$2(n, t) {
	return f$2 = 8, w$2(function() {
		return n;
	}, t);
}
function g$2() {
	var n;
	do {
		for (; n = e$1.shift();) try {
			C(n);
		} catch (t) {
			a$2.__e(t, { __: (n = n.__P) && n.__v });
		}
		for (; n = c$1.shift();) {
			var t = n.__H;
			if (n.__P && t) try {
				t.__h.some(C), t.__h.some(D), t.__h = [];
			} catch (r) {
				t.__h = [], a$2.__e(r, n.__v);
			}
		}
	} while (e$1.length);
}
a$2.__b = function(n) {
	r$1 = null, v$1 && v$1(n);
}, a$2.__ = function(n, t) {
	n && t.__k && t.__k.__m && (n.__m = t.__k.__m), p$2 && p$2(n, t);
}, a$2.__r = function(n) {
	l$1 && l$1(n), t$1 = 0;
	var i = (r$1 = n.__c).__H;
	i && (u$2 == r$1 ? r$1.__h = [] : (i.__h.some(C), i.__h.some(D), t$1 = 0), i.__h = [], i.__.some(function(n) {
		n.__N && (n.__ = n.__N), n.u = n.__N = void 0;
	})), u$2 = r$1;
}, a$2.diffed = function(n) {
	m$2 && m$2(n);
	var t = n.__c;
	t && t.__H && (t.__H.__h.length && B(c$1.push(t)), t.__H.__.some(function(n) {
		n.u && (n.__H = n.u);
	})), u$2 = r$1 = null;
}, a$2.__c = function(n, t) {
	t.some(function(n) {
		try {
			n.__h.some(C), n.__h = n.__h.filter(function(n) {
				return !n.__ || D(n);
			});
		} catch (t) {
			n.__h = [function() {
				throw t;
			}];
		}
	}), h$2 && h$2(n, t);
}, a$2.unmount = function(n) {
	s$1 && s$1(n);
	var t, r, u = n.__c;
	u && u.__H && (u.__H.__.some(function(u) {
		try {
			if (u.__P && u.__c) {
				if (void 0 === r) {
					for (r = n.__; r && (!r.__c || !r.__c.__P);) r = r.__;
					r = r && r.__c;
				}
				u.__P = r, B(e$1.push(u));
			} else C(u);
		} catch (n) {
			t = n;
		}
	}), u.__H = void 0, t && a$2.__e(t, u.__v));
};
var k$1 = "function" == typeof requestAnimationFrame;
function z(n) {
	var t, r = function() {
		clearTimeout(u), k$1 && cancelAnimationFrame(t), setTimeout(n);
	}, u = setTimeout(r, 35);
	k$1 && (t = requestAnimationFrame(r));
}
function B(n) {
	1 != n && i$1 == a$2.requestAnimationFrame || ((i$1 = a$2.requestAnimationFrame) || z)(g$2);
}
function C(n) {
	var t = r$1, u = n.__c;
	"function" == typeof u && (n.__c = void 0, u()), r$1 = t;
}
function D(n) {
	var t = r$1;
	n.__c = n.__(), r$1 = t;
}
function E(n, t) {
	return !n || n.length != t.length || t.some(function(t, r) {
		return !o$2(t, n[r]);
	});
}
function G(n, t) {
	return "function" == typeof t ? t(n) : t;
}
// node_modules/@preact/signals-core/dist/signals-core.module.js
var i = Symbol.for("preact-signals");
function t() {
	if (!(v > 1)) {
		var i, t = !1;
		(function() {
			var i = c;
			c = void 0;
			while (void 0 !== i) {
				var t = i.S;
				if (t.v === i.v) {
					for (var r = t.t; void 0 !== r; r = r.x) if (r.i === i.i) r.i = t.i;
				}
				i = i.o;
			}
		})();
		while (void 0 !== h$1) {
			var r = h$1;
			h$1 = void 0;
			s++;
			while (void 0 !== r) {
				var n = r.u;
				r.u = void 0;
				r.f &= -3;
				if (!(8 & r.f) && w$1(r)) try {
					r.c();
				} catch (r) {
					if (!t) {
						i = r;
						t = !0;
					}
				}
				r = n;
			}
		}
		s = 0;
		v--;
		if (t) throw i;
	} else v--;
}
function r(i) {
	if (v > 0) return i();
	u$1 = ++e;
	v++;
	try {
		return i();
	} finally {
		t();
	}
}
var n;
var o$1 = void 0;
function f$1(i) {
	var t = o$1, r = n;
	o$1 = void 0;
	n = void 0;
	try {
		return i();
	} finally {
		o$1 = t;
		n = r;
	}
}
var h$1 = void 0;
var v = 0;
var s = 0;
var e = 0;
var u$1 = 0;
var c = void 0;
var a$1 = 0;
function d$1(i) {
	if (void 0 !== o$1) {
		var t = i.n;
		if (void 0 === t || t.t !== o$1) {
			t = {
				i: 0,
				S: i,
				p: o$1.s,
				n: void 0,
				t: o$1,
				e: void 0,
				x: void 0,
				r: t
			};
			if (void 0 !== o$1.s) o$1.s.n = t;
			o$1.s = t;
			i.n = t;
			if (32 & o$1.f) i.S(t);
			return t;
		} else if (-1 === t.i) {
			t.i = 0;
			if (void 0 !== t.n) {
				t.n.p = t.p;
				if (void 0 !== t.p) t.p.n = t.n;
				t.p = o$1.s;
				t.n = void 0;
				o$1.s.n = t;
				o$1.s = t;
			}
			return t;
		}
	}
}
function l(i, t) {
	this.v = i;
	this.i = 0;
	this.n = void 0;
	this.t = void 0;
	this.l = 0;
	this.W = null == t ? void 0 : t.watched;
	this.Z = null == t ? void 0 : t.unwatched;
	this.name = null == t ? void 0 : t.name;
}
l.prototype.brand = i;
l.prototype.h = function() {
	return !0;
};
l.prototype.S = function(i) {
	var t = this, r = this.t;
	if (r !== i && void 0 === i.e) {
		i.x = r;
		this.t = i;
		if (void 0 !== r) r.e = i;
		else f$1(function() {
			var i;
			null == (i = t.W) || i.call(t);
		});
	}
};
l.prototype.U = function(i) {
	var t = this;
	if (void 0 !== this.t) {
		var r = i.e, n = i.x;
		if (void 0 !== r) {
			r.x = n;
			i.e = void 0;
		}
		if (void 0 !== n) {
			n.e = r;
			i.x = void 0;
		}
		if (i === this.t) {
			this.t = n;
			if (void 0 === n) f$1(function() {
				var i;
				null == (i = t.Z) || i.call(t);
			});
		}
	}
};
l.prototype.subscribe = function(i) {
	var t = this;
	return x(function() {
		var r = t.value;
		f$1(function() {
			return i(r);
		});
	}, { name: "sub" });
};
l.prototype.valueOf = function() {
	return this.value;
};
l.prototype.toString = function() {
	return this.value + "";
};
l.prototype.toJSON = function() {
	return this.value;
};
l.prototype.peek = function() {
	var i = this;
	return f$1(function() {
		return i.value;
	});
};
Object.defineProperty(l.prototype, "value", {
	get: function() {
		var i = d$1(this);
		if (void 0 !== i) i.i = this.i;
		return this.v;
	},
	set: function(i) {
		if (i !== this.v) {
			if (s > 100) throw new Error("Cycle detected");
			(function(i) {
				if (0 !== v && 0 === s) {
					if (i.l !== u$1) {
						i.l = u$1;
						c = {
							S: i,
							v: i.v,
							i: i.i,
							o: c
						};
					}
				}
			})(this);
			this.v = i;
			this.i++;
			a$1++;
			v++;
			try {
				for (var r = this.t; void 0 !== r; r = r.x) r.t.N();
			} finally {
				t();
			}
		}
	}
});
function y$1(i, t) {
	return new l(i, t);
}
function w$1(i) {
	for (var t = i.s; void 0 !== t; t = t.n) if (t.S.i !== t.i || !t.S.h() || t.S.i !== t.i) return !0;
	return !1;
}
function b$1(i) {
	for (var t = i.s; void 0 !== t; t = t.n) {
		var r = t.S.n;
		if (void 0 !== r) t.r = r;
		t.S.n = t;
		t.i = -1;
		if (void 0 === t.n) {
			i.s = t;
			break;
		}
	}
}
function _(i) {
	var t = i.s, r = void 0;
	while (void 0 !== t) {
		var n = t.p;
		if (-1 === t.i) {
			t.S.U(t);
			if (void 0 !== n) n.n = t.n;
			if (void 0 !== t.n) t.n.p = n;
		} else r = t;
		t.S.n = t.r;
		if (void 0 !== t.r) t.r = void 0;
		t = n;
	}
	i.s = r;
}
function j(i, t) {
	l.call(this, void 0, t);
	this.x = i;
	this.s = void 0;
	this.g = a$1 - 1;
	this.f = 4;
}
j.prototype = new l();
j.prototype.h = function() {
	this.f &= -3;
	if (1 & this.f) return !1;
	if (32 == (36 & this.f)) return !0;
	this.f &= -5;
	if (this.g === a$1) return !0;
	this.g = a$1;
	this.f |= 1;
	if (this.i > 0 && !w$1(this)) {
		this.f &= -2;
		return !0;
	}
	var i = o$1;
	try {
		b$1(this);
		o$1 = this;
		var t = this.x();
		if (16 & this.f || this.v !== t || 0 === this.i) {
			this.v = t;
			this.f &= -17;
			this.i++;
		}
	} catch (i) {
		this.v = i;
		this.f |= 16;
		this.i++;
	}
	o$1 = i;
	_(this);
	this.f &= -2;
	return !0;
};
j.prototype.S = function(i) {
	if (void 0 === this.t) {
		this.f |= 36;
		for (var t = this.s; void 0 !== t; t = t.n) t.S.S(t);
	}
	l.prototype.S.call(this, i);
};
j.prototype.U = function(i) {
	if (void 0 !== this.t) {
		l.prototype.U.call(this, i);
		if (void 0 === this.t) {
			this.f &= -33;
			for (var t = this.s; void 0 !== t; t = t.n) t.S.U(t);
		}
	}
};
j.prototype.N = function() {
	if (!(2 & this.f)) {
		this.f |= 6;
		for (var i = this.t; void 0 !== i; i = i.x) i.t.N();
	}
};
Object.defineProperty(j.prototype, "value", { get: function() {
	if (1 & this.f) throw new Error("Cycle detected");
	var i = d$1(this);
	this.h();
	if (void 0 !== i) i.i = this.i;
	if (16 & this.f) throw this.v;
	return this.v;
} });
function O(i, t) {
	return new j(i, t);
}
function p$1(i) {
	var r = i.j;
	i.j = void 0;
	if ("function" == typeof r) {
		v++;
		var n = o$1;
		o$1 = void 0;
		try {
			r();
		} catch (t) {
			i.f &= -2;
			i.f |= 8;
			g$1(i);
			throw t;
		} finally {
			o$1 = n;
			t();
		}
	}
}
function g$1(i) {
	for (var t = i.s; void 0 !== t; t = t.n) t.S.U(t);
	i.x = void 0;
	i.s = void 0;
	p$1(i);
}
function S(i) {
	if (o$1 !== this) throw new Error("Out-of-order effect");
	_(this);
	o$1 = i;
	this.f &= -2;
	try {
		if (8 & this.f) g$1(this);
	} finally {
		t();
	}
}
function m$1(i, t) {
	this.x = i;
	this.j = void 0;
	this.s = void 0;
	this.u = void 0;
	this.f = 32;
	this.name = null == t ? void 0 : t.name;
	if (n) n.push(this);
}
m$1.prototype.c = function() {
	var i = this.S();
	try {
		if (8 & this.f) return;
		if (void 0 === this.x) return;
		var t = this.x();
		if ("function" == typeof t) this.j = t;
	} finally {
		i();
	}
};
m$1.prototype.S = function() {
	if (1 & this.f) throw new Error("Cycle detected");
	this.f |= 1;
	this.f &= -9;
	p$1(this);
	b$1(this);
	v++;
	var i = o$1;
	o$1 = this;
	return S.bind(this, i);
};
m$1.prototype.N = function() {
	if (!(2 & this.f)) {
		this.f |= 2;
		this.u = h$1;
		h$1 = this;
	}
};
m$1.prototype.d = function() {
	this.f |= 8;
	if (!(1 & this.f)) g$1(this);
};
m$1.prototype.dispose = function() {
	this.d();
};
function x(i, t) {
	var r = new m$1(i, t);
	try {
		r.c();
	} catch (i) {
		r.d();
		throw i;
	}
	var n = r.d.bind(r);
	n[Symbol.dispose] = n;
	return n;
}
// node_modules/@preact/signals/dist/signals.module.js
var h;
var p;
var m = "undefined" != typeof window && !!window.__PREACT_SIGNALS_DEVTOOLS__;
var g = [];
x(function() {
	h = this.N;
})();
function b(i, n) {
	n$1[i] = n.bind(null, n$1[i] || function() {});
}
function y(i) {
	if (p) {
		var n = p;
		p = void 0;
		n();
	}
	p = i && i.S();
}
function w(i) {
	var n = this, r = i.data, t = useSignal(r);
	t.name = "ReactiveDom";
	t.value = r;
	var e = w$2(function() {
		var i = n, r = n.__v;
		while (r = r.__) if (r.__c) {
			r.__c.__$f |= 4;
			break;
		}
		var o = O(function() {
			var i = t.value.value;
			return 0 === i ? 0 : !0 === i ? "" : i || "";
		}), e = O(function() {
			return !Array.isArray(o.value) && !r$2(o.value);
		}), u = x(function() {
			this.N = M;
			if (e.value) {
				var n = o.value;
				if (i.__v && i.__v.__e && 3 === i.__v.__e.nodeType) i.__v.__e.data = n;
			}
		}), c = n.__$u.d;
		n.__$u.d = function() {
			u();
			c.call(this);
		};
		return [e, o];
	}, []), u = e[0], c = e[1];
	return u.value ? c.peek() : c.value;
}
w.displayName = "ReactiveTextNode";
Object.defineProperties(l.prototype, {
	constructor: {
		configurable: !0,
		value: k$2($, null).constructor
	},
	type: {
		configurable: !0,
		value: w
	},
	props: {
		configurable: !0,
		get: function() {
			var i = this;
			return { data: { get value() {
				return i.value;
			} } };
		}
	},
	__b: {
		configurable: !0,
		value: 1
	}
});
b("__b", function(i, n) {
	y();
	if ("string" == typeof n.type) {
		var r, t = n.props;
		for (var f in t) if ("children" !== f) {
			var o = t[f];
			if (o instanceof l) {
				if (!r) n.__np = r = {};
				r[f] = o;
				t[f] = o.peek();
			}
		}
	}
	i(n);
});
b("__r", function(i, r) {
	i(r);
	if (r.type !== $) {
		y();
		var t, f = r.__c;
		if (f) {
			f.__$f &= -2;
			if (void 0 === (t = f.__$u)) f.__$u = t = function(i, n) {
				var r;
				x(function() {
					r = this;
				}, { name: n });
				r.c = i;
				return r;
			}(function(i) {
				return function() {
					var n;
					if (m) null == (n = this.y) || n.call(this);
					i.__$f |= 1;
					i.setState({});
				};
			}(f), "function" == typeof r.type ? r.type.displayName || r.type.name : "");
		}
		y(t);
	}
});
b("__e", function(i, n, r, t) {
	y();
	i(n, r, t);
});
b("diffed", function(i, n) {
	y();
	var r;
	if ("string" == typeof n.type && (r = n.__e)) {
		var t = n.__np, f = n.props, o = r.U;
		if (o) for (var e in o) {
			var u = o[e];
			if (!(void 0 === u || t && e in t)) {
				u.d();
				o[e] = void 0;
			}
		}
		if (t) {
			if (!o) {
				o = {};
				r.U = o;
			}
			for (var a in t) {
				var c = o[a], v = t[a];
				if (void 0 === c) {
					c = k(r, a, v, f);
					o[a] = c;
				} else c.o(v, f);
			}
		}
	}
	i(n);
});
function k(i, n, r, t) {
	var f = n in i && void 0 === i.ownerSVGElement, o = y$1(r);
	return {
		o: function(i, n) {
			o.value = i;
			t = n;
		},
		d: x(function() {
			this.N = M;
			var r = o.value.value;
			if (t[n] !== r) {
				t[n] = r;
				if (f) i[n] = r;
				else if (null != r && (!1 !== r || "-" === n[4])) i.setAttribute(n, r);
				else i.removeAttribute(n);
			}
		})
	};
}
b("unmount", function(i, n) {
	if ("string" == typeof n.type) {
		var r = n.__e;
		if (r) {
			var t = r.U;
			if (t) {
				r.U = void 0;
				for (var f in t) {
					var o = t[f];
					if (o) o.d();
				}
			}
		}
		var e = n.__np;
		if (e) {
			var u = n.props;
			for (var a in e) u[a] = e[a];
		}
		n.__np = void 0;
	} else {
		var c = n.__c;
		if (c) {
			c.__$f |= 8;
			var v = c.__$u;
			if (v) {
				c.__$u = void 0;
				v.d();
			}
		}
	}
	i(n);
});
b("__h", function(i, n, r, t) {
	if (t < 3) n.__$f |= 2;
	i(n, r, t);
});
x$1.prototype.shouldComponentUpdate = function(i, n) {
	if (this.__R) return !0;
	var r = this.__$u, t = r && void 0 !== r.s;
	for (var f in n) return !0;
	if (this.__f || "boolean" == typeof this.u && !0 === this.u) {
		var o = 2 & this.__$f;
		if (!(t || o || 4 & this.__$f)) return !0;
		if (1 & this.__$f) return !0;
	} else {
		if (!(t || 4 & this.__$f)) return !0;
		if (3 & this.__$f) return !0;
	}
	for (var e in i) if ("__source" !== e && i[e] !== this.props[e]) return !0;
	for (var u in this.props) if (!(u in i)) return !0;
	return !1;
};
function useSignal(i, n) {
	return w$2(function() {
		return y$1(i, n);
	}, []);
}
var A = function(i) {
	queueMicrotask(function() {
		queueMicrotask(i);
	});
};
function F() {
	r(function() {
		var i;
		while (i = g.shift()) h.call(i);
	});
}
function M() {
	if (1 === g.push(this)) (n$1.requestAnimationFrame || A)(F);
}
// src/json.ts
/** Browsers without the reviver's source text (before 2024) fall back to the nearest double. */
function parseExact(text) {
	const exact = (_key, value, context) => typeof value === "number" && !Number.isSafeInteger(value) && context?.source && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
	return JSON.parse(text, exact);
}
/** JSON.stringify that writes a bigint as the integer it is. */
function stringifyExact(value, indent = "") {
	if (typeof value === "bigint") return value.toString();
	if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
	const inner = `${indent}  `;
	const parts = Array.isArray(value) ? value.map((one) => inner + stringifyExact(one, inner)) : Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}: ${stringifyExact(one, inner)}`);
	const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
	return parts.length === 0 ? open + close : `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
var textOf = (value) => typeof value === "string" ? value : stringifyExact(value);
// src/api.ts
var ApiError = class extends Error {
	status;
	code;
	parameter;
	constructor(status, code, message, parameter) {
		super(message);
		this.status = status;
		this.code = code;
		this.parameter = parameter;
	}
	/** An older server, that has no such endpoint: the page does without. */
	get isAbsent() {
		return this.status === 404 && /no such endpoint/.test(this.message);
	}
};
var KEPT = 60;
var cache = /* @__PURE__ */ new Map();
/** Counted for the tests' gates (`?debug`). */
var requests = [];
async function failureOf(response) {
	const text = await response.text().catch(() => "");
	try {
		const { error } = JSON.parse(text);
		return new ApiError(response.status, error.code, error.message, error.parameter);
	} catch {
		return new ApiError(response.status, "internal", `the server answered ${response.status} ${response.statusText}`.trim());
	}
}
/** One request; `parse` is JSON.parse for large answers whose big integers the caller knows. A body makes it a POST. */
async function request(url, parse = parseExact, body) {
	requests.push(url);
	let response;
	const asked = body === void 0 ? {} : {
		method: "POST",
		body
	};
	try {
		response = await fetch(url, {
			...asked,
			headers: {
				accept: "application/json",
				...body === void 0 ? {} : { "content-type": "application/json" }
			}
		});
	} catch {
		throw new ApiError(0, "unreachable", "the server does not answer; is it running?");
	}
	if (!response.ok) throw await failureOf(response);
	try {
		return parse(await response.text());
	} catch {
		throw new ApiError(response.status, "internal", "the answer is not JSON; does a proxy stand in between?");
	}
}
function entry(url) {
	let found = cache.get(url);
	if (found) cache.delete(url);
	else found = y$1({
		loading: false,
		at: 0
	});
	cache.set(url, found);
	for (const old of cache.keys()) {
		if (cache.size <= KEPT) break;
		cache.delete(old);
	}
	return found;
}
/** A question with a body has the key `url` + newline + body: the same question is asked once. */
async function refresh(key, parse) {
	const slot = entry(key);
	if (slot.peek().loading) return;
	slot.value = {
		...slot.peek(),
		loading: true
	};
	const [url, body] = key.split(/\n(.*)/s);
	try {
		slot.value = {
			data: await request(url, parse, body),
			loading: false,
			at: Date.now()
		};
	} catch (error) {
		slot.value = {
			data: slot.peek().data,
			at: slot.peek().at,
			error,
			loading: false
		};
	}
}
var STALE_MS = 5e3;
/** The answer of `url`, fetched when it is not there or stale; `null` fetches nothing. `keep` never refetches. */
function useGet(url, options = {}) {
	const slot = url === null ? null : entry(url);
	A$1(() => {
		if (url === null) return;
		const { data, error, at } = entry(url).peek();
		if (data === void 0 || error || !options.keep && Date.now() - at > STALE_MS) refresh(url, options.parse);
	}, [url]);
	return slot === null ? {
		loading: false,
		at: 0
	} : slot.value;
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var f = Symbol.for("pv");
var o = 0;
Array.isArray;
function a(t, e, n, u, a, i) {
	e || (e = {});
	var c, l, p = e;
	if ("ref" in p && "function" != typeof t) for (l in p = {}, e) "ref" == l ? c = e[l] : p[l] = e[l];
	var s = {
		type: t,
		props: p,
		key: n,
		ref: c,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: f,
		__v: --o,
		__i: -1,
		__u: 0
	};
	return (a || i) && (s.__source = a, s.__self = i), n$1.vnode && n$1.vnode(s), s;
}
// src/shell/notices.tsx
var message = y$1("");
var timer = 0;
function say(text) {
	message.value = text;
	clearTimeout(timer);
	timer = window.setTimeout(() => message.value = "", 2500);
}
function Notices() {
	return /* @__PURE__ */ a("div", {
		class: "notices",
		role: "status",
		"aria-live": "polite",
		children: message.value && /* @__PURE__ */ a("span", { children: message.value })
	});
}
// src/clipboard.ts
async function copy(text, what) {
	try {
		if (navigator.clipboard) await navigator.clipboard.writeText(text);
		else if (!copyBySelection(text)) throw new Error("refused");
		say(`${what} copied`);
	} catch {
		say(copyBySelection(text) ? `${what} copied` : `The browser did not allow copying the ${what}`);
	}
}
function copyBySelection(text) {
	const area = document.createElement("textarea");
	area.value = text;
	area.setAttribute("aria-hidden", "true");
	area.style.position = "fixed";
	area.style.opacity = "0";
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	return done;
}
// src/router.ts
function parseRoute(pathname, search) {
	return {
		path: pathname.length > 1 ? pathname.replace(/\/+$/, "") || "/" : "/",
		params: new URLSearchParams(search)
	};
}
/** The parts after the page's name, decoded; a malformed escape is kept as it stands. */
function segments(path) {
	return path.split("/").filter(Boolean).map((part) => {
		try {
			return decodeURIComponent(part);
		} catch {
			return part;
		}
	});
}
/** Parameters not named in `changes` stay, also those that no page knows. */
function withChanges(params, changes) {
	const next = new URLSearchParams(params);
	for (const [key, value] of Object.entries(changes)) {
		next.delete(key);
		if (value === null || value === void 0 || value === "") continue;
		for (const one of Array.isArray(value) ? value : [value]) next.append(key, one);
	}
	return next;
}
function href(path, params = {}) {
	const search = (params instanceof URLSearchParams ? params : withChanges(new URLSearchParams(), params)).toString();
	return search ? `${path}?${search.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}` : path;
}
var here = () => typeof location === "undefined" ? parseRoute("/", "") : parseRoute(location.pathname, location.search);
var route = y$1(here());
var ADDRESS_DELAY_MS = 120;
var pending = null;
function flushAddress() {
	if (!pending) return;
	clearTimeout(pending.timer);
	history.replaceState(null, "", pending.url);
	pending = null;
}
function navigate(url, how = "push") {
	const [pathname, search = ""] = url.split(/\?(.*)/s);
	if (how === "push") {
		flushAddress();
		history.pushState(null, "", url);
	} else {
		if (pending) clearTimeout(pending.timer);
		pending = {
			url,
			timer: window.setTimeout(flushAddress, ADDRESS_DELAY_MS)
		};
	}
	const before = route.value.path;
	route.value = parseRoute(pathname, search);
	if (route.value.path !== before) scrollTo(0, 0);
}
/** What the address bar shows, or is about to. */
var address = () => location.origin + href(route.value.path, route.value.params);
function setParams(changes, how = "replace") {
	navigate(href(route.value.path, withChanges(route.value.params, changes)), how);
}
/** Plain `<a href>` elements are the links; clicks on ours stay in the page. */
function startRouter() {
	addEventListener("popstate", () => {
		if (pending) clearTimeout(pending.timer);
		pending = null;
		route.value = here();
	});
	addEventListener("pagehide", flushAddress);
	document.addEventListener("click", (event) => {
		if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
		const link = event.target?.closest?.("a");
		const to = link?.getAttribute("href");
		if (!link || !to || to.startsWith("#") || link.hasAttribute("target") || link.hasAttribute("download")) return;
		const url = new URL(to, location.href);
		if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
		event.preventDefault();
		navigate(url.pathname + url.search);
	});
}
// src/filter.ts
/** Parameters with one value that /api/traces knows under the same name. */
var SINGLE = [
	"service",
	"operation",
	"span_error",
	"min_span_duration_ms",
	"max_span_duration_ms",
	"error",
	"status",
	"min_duration_ms",
	"max_duration_ms",
	"order"
];
/** The query string for /api/traces; parameters of the URL that are not the search's own are left out. */
function apiQuery(params, extra = {}) {
	const query = new URLSearchParams();
	for (const name of SINGLE) {
		const value = params.get(name);
		if (value) query.set(name, value);
	}
	for (const tag of params.getAll("tag")) if (tag) query.append("tag", tag);
	const from = params.get("from");
	const to = params.get("to");
	if (from) query.set("start", from);
	if (to && to !== "now") query.set("end", to);
	for (const [name, value] of Object.entries(extra)) query.set(name, value);
	return query.toString();
}
/** Words of the box; double quotes keep spaces together. */
function words(text) {
	return (text.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []).map((word) => word.replace(/"((?:[^"\\]|\\.)*)"?/g, (_all, inner) => inner.replace(/\\(.)/g, "$1")));
}
var UNIT_MS = {
	ns: 1e-6,
	us: .001,
	µs: .001,
	ms: 1,
	s: 1e3,
	m: 6e4,
	"": 1
};
/** `500ms`, `1.5s`, `20us`; a bare number is milliseconds. */
function parseMs(text) {
	const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m)?$/.exec(text.trim());
	return match ? Number((Number(match[1]) * UNIT_MS[match[2] ?? ""]).toPrecision(12)) : null;
}
var DURATION = /^(span\.)?(?:dur|duration)(>=?|<=?)(.+)$/;
/** `service=cart error dur>500ms http.status_code=500` → the parameters of /search. */
function fromText(text) {
	const params = new URLSearchParams();
	for (const word of words(text)) {
		const duration = DURATION.exec(word);
		const ms = duration ? parseMs(duration[3]) : null;
		if (duration && ms !== null) {
			const name = `${duration[2].startsWith(">") ? "min" : "max"}_${duration[1] ? "span_" : ""}duration_ms`;
			params.set(name, String(ms));
			continue;
		}
		const [, key, value] = /^(service|operation|op|status|order)=(.*)$/s.exec(word) ?? [];
		if (key) params.set(key === "op" ? "operation" : key, value);
		else if (word === "error" || word === "error=true") params.set("error", "true");
		else if (word === "!error" || word === "error=false") params.set("error", "false");
		else if (word === "span.error") params.set("span_error", "true");
		else params.append("tag", word);
	}
	return params;
}
/** `now-15m` → the moment it means now, so that a shared link shows what its author saw. */
function absolute(bound, nowMs) {
	if (!bound) return null;
	const match = /^now(?:-(\d+)([smhd]))?$/.exec(bound);
	if (!match) return bound;
	const unit = {
		s: 1e3,
		m: 6e4,
		h: 36e5,
		d: 864e5
	}[match[2] ?? "s"] ?? 1e3;
	return new Date(nowMs - Number(match[1] ?? 0) * unit).toISOString();
}
function absoluteRange(params, nowMs) {
	const [from, to] = [params.get("from"), params.get("to")];
	if (!from && !to) return params;
	return withChanges(params, {
		from: absolute(from, nowMs),
		to: absolute(to ?? "now", nowMs)
	});
}
/** The page's range as the API's `?start=&end=`; empty where there is none. */
function rangeQuery(params, extra = {}) {
	const [from, to] = [params.get("from"), params.get("to")];
	const query = new URLSearchParams(extra);
	if (from) query.set("start", from);
	if (to && to !== "now") query.set("end", to);
	return query.size > 0 ? `?${query}` : "";
}
/** `tag=` is split at its first `=`, so a key with one in it cannot be asked for; nor can arrays and objects. */
function filterOf(key, value) {
	if (key === "" || key.includes("=") || /[!~]$/.test(key)) return null;
	if (value === null) return key;
	return typeof value === "object" ? null : `${key}=${textOf(value)}`;
}
// src/keys.ts
var layers = [];
var prefix = null;
var PREFIX_MS = 1500;
/** A layout effect: the next key, however soon, must meet the page as the last one left it. */
function useKeys(keys) {
	F$1(() => {
		layers.push(keys);
		return () => void layers.splice(layers.indexOf(keys), 1);
	});
}
var typing = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
/** Enter and Space belong to the button or link that has the focus. */
var ownsEnter = (target) => target instanceof HTMLElement && /^(a|button|summary)$/i.test(target.tagName);
function startKeys(everywhere) {
	document.addEventListener("keydown", (event) => {
		if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
		if (typing(event.target)) {
			if (event.key !== "Escape") return;
			event.preventDefault();
			event.target.blur();
			return;
		}
		if (document.querySelector("dialog[open]")) return;
		if ((event.key === "Enter" || event.key === " ") && ownsEnter(event.target)) return;
		const combined = prefix && event.timeStamp - prefix.at < PREFIX_MS ? `${prefix.key} ${event.key}` : event.key;
		prefix = null;
		const found = [everywhere, ...layers].reverse().find((keys) => keys[combined])?.[combined];
		if (found) {
			event.preventDefault();
			found(event);
		} else if (event.key === "g") prefix = {
			key: "g",
			at: event.timeStamp
		};
	});
}
/** j and k on lists: the focus moves along the rows' links, so Enter and the screen reader work by themselves. */
function moveRow(step) {
	const rows = [...document.querySelectorAll("main [data-row-link]")];
	if (rows.length === 0) return;
	const at = rows.indexOf(document.activeElement);
	const next = rows[at < 0 ? step === 1 ? 0 : rows.length - 1 : Math.min(rows.length - 1, Math.max(0, at + step))];
	next.focus();
	next.scrollIntoView({ block: "nearest" });
}
// src/prefs.ts
function stored(key, allowed, otherwise) {
	try {
		const value = localStorage.getItem(`tracewell.${key}`);
		return value !== null && allowed.includes(value) ? value : otherwise;
	} catch {
		return otherwise;
	}
}
function keep(key, value) {
	try {
		localStorage.setItem(`tracewell.${key}`, value);
	} catch {}
}
var theme = y$1(stored("theme", [
	"system",
	"light",
	"dark"
], "system"));
var zone = y$1(stored("zone", ["local", "utc"], "local"));
var live = y$1(stored("live", ["on", "off"], "on") === "on");
var systemDark = y$1(false);
var dark = () => theme.value === "system" ? systemDark.value : theme.value === "dark";
/** The moment "ago" is measured from; moves every 10 s. */
var now = y$1(Date.now());
function startPrefs() {
	const media = matchMedia("(prefers-color-scheme: dark)");
	systemDark.value = media.matches;
	media.addEventListener("change", () => systemDark.value = media.matches);
	x(() => {
		keep("theme", theme.value);
		if (theme.value === "system") delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = theme.value;
	});
	x(() => keep("zone", zone.value));
	x(() => keep("live", live.value ? "on" : "off"));
	setInterval(() => {
		if (!document.hidden) now.value = Date.now();
	}, 1e4);
}
// src/shell/help.tsx
var helpOpen = y$1(false);
var GROUPS = [
	["Everywhere", [
		["/", "to the box: trace id, or a filter"],
		["Ctrl V", "open the trace id in the clipboard"],
		["g h", "Now"],
		["g f", "Search"],
		["g s", "Services"],
		["g e", "Errors"],
		["g m", "Map"],
		["g i", "Status"],
		["j k", "next, previous row; Enter opens"],
		["y", "copy a link to what you see"],
		["Backspace", "back"],
		["?", "this help; Esc closes"]
	]],
	["Trace: moving", [
		["j k", "next, previous span"],
		["h l", "close, open the span's children"],
		["H L", "close, open all"],
		["p", "parent"],
		["e E", "next, previous error"],
		["c C", "next, previous on the critical path"],
		["o", "next orphan (its parent is missing)"],
		["f", "find in the trace"],
		["n N", "next, previous hit"]
	]],
	["Trace: looking", [
		["w s", "zoom in, out"],
		["a d", "earlier, later"],
		["z", "zoom to the span"],
		["0", "whole trace"],
		["Enter", "open the span's details"],
		["Esc", "close the details"],
		["v", "next view"],
		["x", "against the typical trace, and back"],
		["Y", "copy a summary in Markdown"],
		["t", "copy the trace id"]
	]],
	["Trace: marks", [
		["!", "the span failed; red line below its bar"],
		["3", "errors folded away under it; a click goes there"],
		["┄┄", "its parent never came"],
		["▔▔", "on the critical path: the trace waited for it"],
		["◂ ▸", "the span is left or right of what is shown"]
	]]
];
function Help() {
	const dialog = T(null);
	const open = helpOpen.value;
	F$1(() => {
		if (open) dialog.current?.showModal();
		else dialog.current?.close();
	}, [open]);
	return /* @__PURE__ */ a("dialog", {
		ref: dialog,
		class: "help",
		"aria-labelledby": "help-title",
		onClose: () => helpOpen.value = false,
		children: open && /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
			id: "help-title",
			children: "Keys"
		}), /* @__PURE__ */ a("button", {
			type: "button",
			class: "quiet",
			onClick: () => helpOpen.value = false,
			children: "Close"
		})] }), /* @__PURE__ */ a("div", {
			class: "help-groups",
			children: GROUPS.map(([title, keys]) => /* @__PURE__ */ a("section", { children: [/* @__PURE__ */ a("h3", { children: title }), /* @__PURE__ */ a("dl", { children: keys.map(([key, meaning]) => /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: key.split(" ").map((one) => /* @__PURE__ */ a("kbd", { children: one }, one)) }), /* @__PURE__ */ a("dd", { children: meaning })] }, key)) })] }, title))
		})] })
	});
}
// src/format.ts
var trim = (value) => value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
/** A duration in nanoseconds: `87 ns`, `532 µs`, `41.0 ms`, `1.80 s`, `2 m 05 s`, `3 h 07 m`. */
function duration(ns) {
	if (ns === null || ns === void 0) return "–";
	const value = Number(ns);
	if (!Number.isFinite(value)) return "–";
	if (value < 0) return `−${duration(-value)}`;
	if (value < 1e3) return `${Math.round(value)} ns`;
	if (value < 999500) return `${trim(value / 1e3)} µs`;
	if (value < 9995e5) return `${trim(value / 1e6)} ms`;
	if (value < 59995e6) return `${trim(value / 1e9)} s`;
	const seconds = Math.round(value / 1e9);
	if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
	if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${String(Math.floor(seconds % 3600 / 60)).padStart(2, "0")} m`;
	return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
}
var milliseconds = (ms) => duration(ms === null || ms === void 0 ? null : ms * 1e6);
function count(value) {
	if (value === null || value === void 0) return "–";
	const digits = value.toString();
	if (!/^-?\d+$/.test(digits)) return digits;
	return digits.replace(/\B(?=(\d{3})+$)/g, " ");
}
function plural(value, one, many = `${one}s`) {
	return `${count(value)} ${Number(value) === 1 ? one : many}`;
}
function rate(perSecond) {
	if (perSecond === null || perSecond === void 0) return "–";
	if (perSecond === 0) return "0";
	if (perSecond < .01) return "<0.01";
	if (perSecond >= 1e6) return `${trim(perSecond / 1e6)}M`;
	if (perSecond >= 1e4) return `${trim(perSecond / 1e3)}k`;
	return perSecond >= 99.95 ? count(Math.round(perSecond)) : perSecond.toFixed(perSecond < 1 ? 2 : 1);
}
function percent(fraction) {
	if (fraction === null || fraction === void 0 || !Number.isFinite(fraction)) return "–";
	const value = fraction * 100;
	if (value === 0) return "0%";
	if (value < .1) return "<0.1%";
	if (value < 99.95) return `${value.toFixed(1)}%`;
	return value < 100 ? ">99.9%" : "100%";
}
function bytes(value) {
	if (value === null || value === void 0) return "–";
	let left = Number(value);
	for (const unit of [
		"B",
		"KiB",
		"MiB",
		"GiB",
		"TiB"
	]) {
		if (left < 1024 || unit === "TiB") return unit === "B" ? `${Math.round(left)} B` : `${trim(left)} ${unit}`;
		left /= 1024;
	}
	return "";
}
var pad = (value, digits = 2) => String(value).padStart(digits, "0");
function parts(ms, zone) {
	const at = new Date(ms);
	if (zone === "utc") return {
		date: `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`,
		time: `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`
	};
	return {
		date: `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`,
		time: `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
	};
}
function zoneName(zone) {
	if (zone === "utc") return "UTC";
	const minutes = -(/* @__PURE__ */ new Date()).getTimezoneOffset();
	return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
}
/** `2026-11-22 19:50:48`; with `fraction`, all nine digits below the second. */
function instant(ns, zone, fraction = "none") {
	const whole = BigInt(ns);
	const { date, time } = parts(Number(whole / 1000000n), zone);
	const below = pad(Number(whole % 1000000000n), 9);
	return `${date} ${time}${fraction === "none" ? "" : `.${fraction === "ms" ? below.slice(0, 3) : below}`}`;
}
/** The clock alone when it is the same day as `nowMs`, else with the date. */
function clock(ns, zone, nowMs) {
	const then = parts(Number(BigInt(ns) / 1000000n), zone);
	return then.date === parts(nowMs, zone).date ? then.time : `${then.date} ${then.time}`;
}
function ago(ns, nowMs) {
	const seconds = Math.round(nowMs / 1e3 - Number(BigInt(ns) / 1000000n) / 1e3);
	if (seconds < -2) return "in the future";
	if (seconds < 5) return "just now";
	if (seconds < 60) return `${seconds} s ago`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
	if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
	const days = Math.floor(seconds / 86400);
	return days < 60 ? `${days} d ago` : days < 730 ? `${Math.floor(days / 30)} months ago` : `${Math.floor(days / 365)} years ago`;
}
/** Round steps for an axis of `span` units with about `wanted` marks: 1, 2 or 5 times a power of ten. */
function ticks(from, to, wanted) {
	const span = to - from;
	if (!(span > 0) || wanted < 1) return [];
	const rough = span / wanted;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = [
		1,
		2,
		5,
		10
	].map((factor) => factor * power).find((size) => size >= rough) ?? power * 10;
	const marks = [];
	for (let at = Math.ceil(from / step) * step; at <= to && marks.length < 100; at += step) marks.push(at);
	return marks;
}
// src/traceid.ts
var TRACEPARENT = /(?<![0-9a-f])[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?![0-9a-f])/;
var B3 = /(?<![0-9a-f])([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-[01d])?(?![0-9a-f-])/;
var UUID = /(?<![0-9a-f])([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})(?![0-9a-f])/;
var BARE = /(?<![0-9a-z_])(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-z_])/;
var isZero = (id) => /^0*$/.test(id);
function findTraceId(text) {
	const low = text.slice(0, 1e4).toLowerCase();
	const header = TRACEPARENT.exec(low) ?? B3.exec(low);
	if (header && !isZero(header[1])) return {
		trace: header[1].padStart(32, "0"),
		span: header[2]
	};
	const uuid = UUID.exec(low);
	if (uuid && !isZero(uuid.slice(1).join(""))) return { trace: uuid.slice(1).join("") };
	const bare = BARE.exec(low);
	return bare && !isZero(bare[1]) ? { trace: bare[1].padStart(32, "0") } : null;
}
// src/shell/topbar.tsx
var PAGES$1 = [
	[
		"/",
		"Now",
		"g h"
	],
	[
		"/search",
		"Search",
		"g f"
	],
	[
		"/services",
		"Services",
		"g s"
	],
	[
		"/errors",
		"Errors",
		"g e"
	],
	[
		"/map",
		"Map",
		"g m"
	],
	[
		"/status",
		"Status",
		"g i"
	]
];
var openPasted = (id) => navigate(href(`/trace/${id.trace}`, { span: id.span }));
function submitBox(text) {
	const id = findTraceId(text);
	const short = /^(?:0x)?([0-9a-f]{1,31})$/i.exec(text.trim());
	if (id) openPasted(id);
	else if (short && short[1].length >= 12) openPasted({ trace: short[1].toLowerCase().padStart(32, "0") });
	else if (text.trim()) navigate(href("/search", fromText(text)));
}
function Box() {
	const input = T(null);
	return /* @__PURE__ */ a("form", {
		class: "box",
		role: "search",
		onSubmit: (event) => {
			event.preventDefault();
			const field = input.current;
			if (!field) return;
			submitBox(field.value);
			field.value = "";
			field.blur();
		},
		children: [/* @__PURE__ */ a("input", {
			ref: input,
			id: "box",
			type: "text",
			autocomplete: "off",
			spellcheck: false,
			"aria-label": "Trace id, or a filter such as service=cart error dur>500ms",
			placeholder: "Trace ID, traceparent, or service=cart error dur>500ms"
		}), /* @__PURE__ */ a("kbd", {
			"aria-hidden": "true",
			children: "/"
		})]
	});
}
var NEXT_THEME = {
	system: "light",
	light: "dark",
	dark: "system"
};
var THEME_NAME = {
	system: "Auto",
	light: "Light",
	dark: "Dark"
};
function TopBar() {
	const path = route.value.path;
	const isHere = (page) => path === page || page !== "/" && path.startsWith(`${page}/`) || page === "/search" && path.startsWith("/trace/");
	return /* @__PURE__ */ a("header", {
		class: "topbar",
		children: [
			/* @__PURE__ */ a("a", {
				class: "brand",
				href: "/",
				"aria-label": "Tracewell, to Now",
				children: [/* @__PURE__ */ a("svg", {
					viewBox: "0 0 16 16",
					width: "20",
					height: "20",
					"aria-hidden": "true",
					children: [/* @__PURE__ */ a("rect", {
						width: "16",
						height: "16",
						rx: "3",
						fill: "#0f766e"
					}), /* @__PURE__ */ a("path", {
						d: "M3 4h10v2H3zM5 7h6v2H5zM7 10h6v2H7z",
						fill: "#fff"
					})]
				}), /* @__PURE__ */ a("span", { children: "Tracewell" })]
			}),
			/* @__PURE__ */ a("nav", {
				"aria-label": "Pages",
				children: PAGES$1.map(([to, name, keys]) => /* @__PURE__ */ a("a", {
					href: to,
					title: `${name} (${keys})`,
					"aria-current": isHere(to) ? "page" : void 0,
					children: name
				}, to))
			}),
			/* @__PURE__ */ a(Box, {}),
			/* @__PURE__ */ a("div", {
				class: "settings",
				children: [
					/* @__PURE__ */ a("button", {
						type: "button",
						class: "quiet",
						title: "Times in local time or UTC",
						onClick: () => zone.value = zone.value === "utc" ? "local" : "utc",
						children: zone.value === "utc" ? "UTC" : `Local ${zoneName("local")}`
					}),
					/* @__PURE__ */ a("button", {
						type: "button",
						class: "quiet",
						"aria-label": `Theme: ${THEME_NAME[theme.value]}`,
						title: "Theme: as the system, light, dark",
						onClick: () => theme.value = NEXT_THEME[theme.value],
						children: THEME_NAME[theme.value]
					}),
					/* @__PURE__ */ a("button", {
						type: "button",
						class: "quiet",
						"aria-label": "Keys (?)",
						title: "Keys (?)",
						onClick: () => helpOpen.value = true,
						children: "?"
					})
				]
			})
		]
	});
}
// \0vite/preload-helper.js
var scriptRel = /* @__PURE__ */ (function detectScriptRel() {
	const relList = typeof document !== "undefined" && document.createElement("link").relList;
	return relList && relList.supports && relList.supports("modulepreload") ? "modulepreload" : "preload";
})();
var assetsURL = function(dep, importerUrl) {
	return new URL(dep, importerUrl).href;
};
var seen = {};
var isCssPreloadUrl = function isCssPreloadUrl(url) {
	return url.pathname.endsWith(".css");
};
var preloadOnce = function preloadOnce(seen, href, preload) {
	if (href in seen) return seen[href];
	const promise = preload();
	if (!promise) {
		seen[href] = void 0;
		return;
	}
	const preloadPromise = promise.then(() => {
		seen[href] = void 0;
	}, (err) => {
		seen[href] = void 0;
		throw err;
	});
	seen[href] = preloadPromise;
	return preloadPromise;
};
var __vitePreload = function preload(baseModule, deps, importerUrl) {
	let promise = Promise.resolve();
	if (deps && deps.length > 0) {
		let preloadedHrefs;
		const cspNonceMeta = document.querySelector("meta[property=csp-nonce]");
		const cspNonce = cspNonceMeta?.nonce || cspNonceMeta?.getAttribute("nonce");
		function allSettled(promises) {
			return Promise.all(promises.map((p) => Promise.resolve(p).then((value) => ({
				status: "fulfilled",
				value
			}), (reason) => ({
				status: "rejected",
				reason
			}))));
		}
		function importMetaResolve(specifier) {
			if (import.meta.resolve) return new URL(import.meta.resolve(specifier));
			return new URL(
				specifier,
				/** #__KEEP__ */
				import.meta.url
			);
		}
		promise = allSettled(deps.map((depString) => {
			depString = assetsURL(depString, importerUrl);
			const dep = importMetaResolve(depString);
			const isCss = isCssPreloadUrl(dep);
			return preloadOnce(seen, dep.href, () => {
				if (preloadedHrefs === void 0) {
					preloadedHrefs = {
						all: /* @__PURE__ */ new Set(),
						styles: /* @__PURE__ */ new Set()
					};
					const links = document.getElementsByTagName("link");
					for (let i = links.length - 1; i >= 0; i--) {
						const link = links[i];
						preloadedHrefs.all.add(link.href);
						if (link.rel === "stylesheet") preloadedHrefs.styles.add(link.href);
					}
				}
				if ((isCss ? preloadedHrefs.styles : preloadedHrefs.all).has(dep.href)) return;
				const link = document.createElement("link");
				link.rel = isCss ? "stylesheet" : scriptRel;
				if (!isCss) link.as = "script";
				link.crossOrigin = "";
				link.href = dep.href;
				if (cspNonce) link.setAttribute("nonce", cspNonce);
				document.head.appendChild(link);
				if (isCss) return new Promise((res, rej) => {
					const handleSettle = (e) => {
						link.removeEventListener("load", handleSettle);
						link.removeEventListener("error", handleSettle);
						if (e.type === "error") rej(/* @__PURE__ */ new Error(`Unable to preload CSS for ${dep}`));
						else res(e);
					};
					link.addEventListener("load", handleSettle);
					link.addEventListener("error", handleSettle);
				});
			});
		}).filter((p) => p !== void 0));
	}
	function handlePreloadError(err) {
		const e = new Event("vite:preloadError", { cancelable: true });
		e.payload = err;
		window.dispatchEvent(e);
		if (!e.defaultPrevented) throw err;
	}
	return promise.then((res) => {
		for (const item of res || []) {
			if (item.status !== "rejected") continue;
			handlePreloadError(item.reason);
		}
		return baseModule().catch(handlePreloadError);
	});
};
// src/main.tsx
var PAGES = {
	"": () => __vitePreload(() => import("./now.js"), [], import.meta.url),
	search: () => __vitePreload(() => import("./search.js"), [], import.meta.url),
	services: () => __vitePreload(() => import("./services.js"), [], import.meta.url),
	service: () => __vitePreload(() => import("./service.js"), [], import.meta.url),
	trace: () => __vitePreload(() => import("./trace.js"), [], import.meta.url),
	errors: () => __vitePreload(() => import("./errors.js"), [], import.meta.url),
	error: () => __vitePreload(() => import("./error.js"), [], import.meta.url),
	map: () => __vitePreload(() => import("./map.js"), [], import.meta.url),
	status: () => __vitePreload(() => import("./status.js"), [], import.meta.url)
};
var OF_ONE = {
	services: "service",
	errors: "error"
};
/** The page's name in PAGES: `/services` is the overview, `/services/cart` the page of one. */
function pageName(parts) {
	const name = parts[0] ?? "";
	if (name === "trace" && parts.length < 2) return "trace without an id";
	return parts.length > 1 ? OF_ONE[name] ?? name : Object.values(OF_ONE).includes(name) ? `${name} alone` : name;
}
var loaded = /* @__PURE__ */ new Map();
function Main() {
	const parts = segments(route.value.path);
	const name = pageName(parts);
	const [, redraw] = d$2(0);
	const [failed, setFailed] = d$2("");
	const main = T(null);
	const first = T(true);
	A$1(() => {
		setFailed("");
		const load = PAGES[name];
		if (load && !loaded.has(name)) load().then((module) => (loaded.set(name, module.default), redraw((count) => count + 1)), () => setFailed(name));
		if (!first.current) main.current?.focus({ preventScroll: true });
		first.current = false;
	}, [name]);
	const Page = loaded.get(name);
	return /* @__PURE__ */ a("main", {
		id: "main",
		ref: main,
		tabIndex: -1,
		class: PAGES[name] ? `page-${name || "now"}` : "page-none",
		children: Page ? /* @__PURE__ */ a(Page, { rest: parts.slice(1) }, parts.length > 1 ? route.value.path : name) : !PAGES[name] ? /* @__PURE__ */ a("section", {
			class: "page",
			children: [/* @__PURE__ */ a("h1", { children: "No such page" }), /* @__PURE__ */ a("p", { children: [
				"Nothing is at ",
				/* @__PURE__ */ a("code", { children: route.value.path }),
				". ",
				/* @__PURE__ */ a("a", {
					href: "/",
					children: "Go to Now"
				})
			] })]
		}) : failed === name ? /* @__PURE__ */ a("section", {
			class: "page",
			children: [
				/* @__PURE__ */ a("h1", { children: "This page could not be loaded" }),
				/* @__PURE__ */ a("p", { children: "The server has probably been upgraded since this tab was opened." }),
				/* @__PURE__ */ a("button", {
					type: "button",
					onClick: () => location.reload(),
					children: "Reload"
				})
			]
		}) : /* @__PURE__ */ a("p", {
			class: "loading",
			role: "status",
			children: "Loading…"
		})
	});
}
function App() {
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a("a", {
			class: "skip",
			href: "#main",
			onClick: (event) => (event.preventDefault(), document.querySelector("main")?.focus()),
			children: "Skip to the page"
		}),
		/* @__PURE__ */ a(TopBar, {}),
		/* @__PURE__ */ a(Main, {}),
		/* @__PURE__ */ a(Help, {}),
		/* @__PURE__ */ a(Notices, {})
	] });
}
function startPaste() {
	document.addEventListener("paste", (event) => {
		if (event.target?.closest?.("input, textarea")) return;
		const id = findTraceId(event.clipboardData?.getData("text") ?? "");
		if (id) openPasted(id);
	});
}
startPrefs();
startRouter();
startPaste();
startKeys({
	"/": () => document.querySelector("#box")?.focus(),
	"?": () => helpOpen.value = true,
	"g h": () => navigate("/"),
	"g f": () => navigate("/search"),
	"g s": () => navigate("/services"),
	"g e": () => navigate("/errors"),
	"g m": () => navigate("/map"),
	"g i": () => navigate("/status"),
	j: () => moveRow(1),
	k: () => moveRow(-1),
	Backspace: () => history.back(),
	y: () => void copy(location.origin + href(route.value.path, absoluteRange(route.value.params, Date.now())), "link")
});
if (route.value.params.has("debug")) window.__tracewell = {
	requests,
	boxes: 0,
	rows: 0
};
Q(/* @__PURE__ */ a(App, {}), document.getElementById("app"));
export { a as A, d$2 as B, href as C, withChanges as D, setParams as E, textOf as F, $ as H, A$1 as I, F$1 as L, request as M, useGet as N, copy as O, stringifyExact as P, T as R, address as S, route as T, w$2 as V, SINGLE as _, duration as a, parseMs as b, percent as c, ticks as d, dark as f, useKeys as g, zone as h, count as i, refresh as j, say as k, plural as l, now as m, bytes as n, instant as o, live as p, clock as r, milliseconds as s, ago as t, rate as u, apiQuery as v, navigate as w, rangeQuery as x, filterOf as y, b$2 as z };
